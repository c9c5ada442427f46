import Files
import Foundation
import Synchronization

/// What one run has to work with.
public struct RunContext: Sendable {
  public let settings: RunSettings
  /// The threads it uses: `--workers`, a part of the run's provenance.
  public let threads: Int
  /// How long it trains before it saves its state.
  public let savingInterval: Duration
  /// The folder, which may not exist yet, in which it keeps what it goes on from after its process has ended. It goes
  /// when the run, or the stage, is finished.
  public let workFolder: String
  let place: Place
  let id: String
  let plan: Plan
  let stages: StageStore
  let progress: ProgressDisplay
  /// That on the run; nil where a stage alone is made.
  let claim: Claim?
  let outputs: RunOutputs
  var extent = Extent.whole

  /// How much of a run is executed.
  enum Extent {
    case whole
    /// Its first shared stage alone.
    case firstStage
    /// What comes before that stage.
    case beforeFirstStage
  }

  /// A part of the run whose result all runs of this code share that agree in what it reads.
  ///
  /// - Parameters:
  ///   - name: what the part is called; two different parts have different names.
  ///   - reads: the settings that it may read. Reading another one is a precondition failure.
  ///   - inputs: what it depends on beside settings and the plan's checksums, by key.
  public func stage(_ name: String, reads: Set<String>, inputs: [String: String] = [:]) -> Stage {
    let limited = settings.limited(to: reads)
    let known = limited.values.filter { !plan.files.contains($0.key) }
    let provenance = Provenance(
      of: name, code: plan.code, inputs: plan.conditions.merging(inputs) { $1 }, settings: known)
    let context = RunContext(
      settings: limited, threads: threads, savingInterval: savingInterval,
      workFolder: stages.workFolder(provenance), place: place, id: id, plan: plan, stages: stages,
      progress: progress, claim: claim, outputs: outputs)
    return Stage(context: context, provenance: provenance, extent: extent)
  }

  /// Whether the run is to save its state and end: the experiment was interrupted, or another process has taken over.
  public var shouldStop: Bool {
    Interruption.isRequested || claim?.isLost == true || extent == .beforeFirstStage
  }

  /// Shows how far the present part of the run is. Cheap; to be called at every step.
  public func show(_ part: String, _ fraction: Double) {
    progress.update(id, "\(part) \(Int((100 * fraction).rounded())) %")
  }

  /// The same; throws `CancellationError` if the run is to end.
  public func report(_ part: String, _ fraction: Double) throws {
    try checkStop()
    show(part, fraction)
  }

  /// Throws `CancellationError` if the run is to end.
  public func checkStop() throws {
    if shouldStop { throw CancellationError() }
  }

  /// What `make` returns; a run that goes on after its process has ended reads it from the work folder. `part` is a
  /// name that no other part of the run has.
  public func metrics(of part: String, make: () throws -> [Metric]) throws -> [Metric] {
    let path = "\(workFolder)/\(part.replacing(" ", with: "-")).json"
    if FileContents.exists(path) {
      do {
        return try JSONNode(checksummedAt: path).elements("metrics").map { try Metric($0) }
      } catch {
        StandardError.line("\(error); this part of the run is made again")
      }
    }
    let metrics = try make()
    let json = JSONValue.members(("metrics", .array(metrics.map(\.json))))
    try AtomicFile.write(json.withChecksum().text(isIndented: true) + "\n", to: path)
    return metrics
  }

  /// Keeps the learning curve of one stage of the run: a header, whose first column is `step`, and a row of numbers for
  /// each step; a field may be empty.
  public func keep(curve: [[String]], of stage: String) { outputs.add(curve: curve, stage) }

  /// Writes what the run answered on `split`, one JSON object a line, to `runs/NAME/responses/ID/SPLIT.jsonl`. A second
  /// call replaces the file.
  public func keep(responses: [JSONValue], of split: String) throws {
    try AtomicFile.write(
      responses.map { $0.text() + "\n" }.joined(), to: place.responses(id, split))
  }

  /// Notes in the run's record the SHA-256 of something that it made and does not keep.
  public func note(checksum: String, of name: String) { outputs.add(checksum, name) }
}

/// What a run leaves beside its metrics: the checksums that it notes for its record, and its learning curves.
final class RunOutputs: Sendable {
  private let state = Mutex<(checksums: [String: String], curves: [StageCurve])>(([:], []))

  func add(_ checksum: String, _ name: String) { state.withLock { $0.checksums[name] = checksum } }
  func add(curve: [[String]], _ stage: String) {
    state.withLock { $0.curves.append(StageCurve(stage: stage, rows: curve)) }
  }
  var checksums: [String: String] { state.withLock { $0.checksums } }
  var curves: [StageCurve] { state.withLock { $0.curves } }
}

/// A part of a run that runs share.
public struct Stage: Sendable {
  /// That of the run, limited to the settings that the stage reads.
  public let context: RunContext
  public let provenance: Provenance
  let extent: RunContext.Extent

  public var settings: RunSettings { context.settings }

  /// The stage's folder; `make` fills an empty one if no run has done so before.
  public func folder(make: (String) throws -> Void) throws -> String {
    if extent == .beforeFirstStage { throw StageReached(id: provenance.id) }
    let folder = try made(make)
    if extent == .firstStage { throw StageReached(id: provenance.id) }
    return folder
  }

  private func made(_ make: (String) throws -> Void) throws -> String {
    let start = ContinuousClock.now
    defer {
      context.progress.shared(context.id, seconds: (ContinuousClock.now - start) / .seconds(1))
    }
    return try context.stages.stage(provenance, wait: context.checkStop, make: make)
  }
}

/// Ends a run of which no more is to be executed.
struct StageReached: Error {
  /// The stage's.
  let id: String
}
