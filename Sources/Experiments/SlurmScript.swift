/// The script of a job, and the call of sbatch that submits it.
package struct SlurmScript: Sendable {
  /// What its program does.
  package enum Kind: String, Sendable {
    case stages, runs, collect
  }

  /// One task of an array: the id of the run, and of a stage its own id.
  package struct Task: Hashable, Sendable {
    var run: String
    var stage: String?

    package init(run: String, stage: String? = nil) { (self.run, self.stage) = (run, stage) }

    var line: String { [run, stage].compactMap { $0 }.joined(separator: " ") }
  }

  var kind: Kind
  /// The array's number among those of its kind, from 1.
  var number = 1
  /// Empty where it is no array.
  var tasks: [Task] = []
  /// How many of them may run at once; nil for no limit.
  var limit: Int?

  /// `runs-1`; `collect`.
  var name: String { kind == .collect ? kind.rawValue : "\(kind.rawValue)-\(number)" }
  var file: String { name + ".sh" }
  var list: String { name + ".txt" }

  /// The file of a task's output in a submission's folder.
  func log(index: Int?) -> String { "log/\(name)\(index.map { "-\($0)" } ?? "").txt" }

  /// What a submission's scripts have in common.
  package struct Submission: Sendable {
    /// Of the experiment.
    var name: String
    /// The submission's folder, relative to `workingFolder` or absolute.
    var folder: String
    /// Unique among the user's jobs.
    var id: String
    var workingFolder: String
    var options: SlurmOptions
    var workers: Int
    /// Flags for every task, such as `--save-interval=30`.
    var flags: [String]

    package init(
      name: String, folder: String, id: String, workingFolder: String, options: SlurmOptions,
      workers: Int, flags: [String]
    ) {
      (self.name, self.folder, self.id) = (name, folder, id)
      (self.workingFolder, self.options) = (workingFolder, options)
      (self.workers, self.flags) = (workers, flags)
    }
  }

  package init(_ kind: Kind, number: Int = 1, tasks: [Task] = [], limit: Int? = nil) {
    (self.kind, self.number, self.tasks, self.limit) = (kind, number, tasks, limit)
  }

  /// How long before the time limit the shell is signalled. Slurm looks once a minute, so that it may come earlier.
  static let warningSeconds = 120
  /// A task that was begun so often without being finished asks for less time than it needs.
  static let mostRestarts = 200

  /// The call of sbatch; `after` are the jobs that must have ended, however they did.
  package func command(_ submission: Submission, after jobs: [String]) -> [String] {
    var words = ["sbatch"]
    if kind != .collect {
      words += [
        "--requeue", "--open-mode=append", "--signal=B:USR1@\(Self.warningSeconds)",
        "--cpus-per-task=\(submission.workers)",
      ]
    }
    // What is not settled here may be set by the site and by the call, in this order.
    words += submission.options.arguments
    if kind == .collect { words += ["--cpus-per-task=1", "--open-mode=truncate"] }
    words += ["--parsable", "--job-name=\(submission.name).\(submission.id).\(name)"]
    if !tasks.isEmpty {
      let limit = limit.map { "%\($0)" } ?? ""
      words.append("--array=0-\(tasks.count - 1)\(limit)")
    }
    // Not afterok: what needs a stage that failed would wait for ever. Such a run ends at once with the stage's error.
    if !jobs.isEmpty { words.append("--dependency=afterany:" + jobs.joined(separator: ":")) }
    words.append("--chdir=\(submission.workingFolder)")
    let log = tasks.isEmpty ? log(index: nil) : "log/\(name)-%a.txt"
    words += ["--output=\(Self.pattern(submission.folder))/\(log)", "\(submission.folder)/\(file)"]
    return words
  }

  /// A path in which sbatch replaces nothing.
  private static func pattern(_ path: String) -> String { path.replacing("%", with: "%%") }

  package func text(_ submission: Submission) -> String {
    let options = submission.options
    let program = options.prefix + ["\(submission.folder)/\(submission.name)"]
    let from = ["--submission=\(submission.folder)"] + submission.flags
    let setup = options.setup.map { $0 + "\n" }.joined()
    if kind == .collect {
      return """
        #!/usr/bin/env bash
        # Writes the CSV and the report of what is finished.
        \(setup)exec \(ShellCommand.line(program + ["collect"] + from))

        """
    }
    let step = kind == .stages ? "stage" : "run"
    let list = "\(submission.folder)/\(list)"
    return """
      #!/usr/bin/env bash
      # Task N of this array executes line N + 1 of \(list).
      task=$(sed -n "$((SLURM_ARRAY_TASK_ID + 1))p" \(ShellCommand.line([list])))
      id=${task%% *}
      if [ -z "$id" ]; then
        printf '%s: line %d: expected the id of a run, found none\\n' \(ShellCommand.line([list])) $((SLURM_ARRAY_TASK_ID + 1))
        exit 1
      fi
      printf -- '-- job %s_%s on %s, restarted %s times\\n' \\
        "$SLURM_ARRAY_JOB_ID" "$SLURM_ARRAY_TASK_ID" "$(hostname)" "${SLURM_RESTART_COUNT:-0}"
      \(setup)
      # The scheduler signals this shell. USR1 is its warning before the time limit, or before preemption where the site
      # has it so; TERM precedes the end by scancel or by preemption, after which the scheduler itself decides.
      requeue='' program='' signalled=''
      forward() {
        signalled=yes
        [ -z "$program" ] || kill -USR1 "$program" 2>/dev/null
      }
      trap 'requeue=yes; forward' USR1
      trap forward TERM
      \(ShellCommand.line(program + [step])) "$id" \(ShellCommand.line(from)) &
      program=$!
      while :; do
        signalled=''
        wait "$program"
        status=$?
        [ -n "$signalled" ] || break
      done
      # \(Experiment.interruptedStatus): it has saved its state. 138: USR1 ended it before there was any.
      if [ -n "$requeue" ] && { [ "$status" -eq \(Experiment.interruptedStatus) ] || [ "$status" -eq 138 ]; }; then
        if [ "${SLURM_RESTART_COUNT:-0}" -ge \(Self.mostRestarts) ]; then
          printf -- '-- restarted %s times: expected a longer --time\\n' "$SLURM_RESTART_COUNT"
        else
          printf -- '-- interrupted; back to the queue\\n'
          scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
        fi
      fi
      exit "$status"

      """
  }
}
