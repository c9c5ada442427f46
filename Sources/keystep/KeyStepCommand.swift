import ArgumentParser
import Files
import Foundation

/// The command line: parses, runs, and turns every error into one message and an exit status, 1 for
/// a run that failed and 2 for a call that makes no sense.
@main
struct KeyStepCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keystep",
    abstract: "Chain-of-thought distillation by key reasoning steps (EDIT, arXiv 2405.19737).",
    discussion: """
      Example: keystep align --tokenizer models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl
      """,
    subcommands: [
      EditDataCommand.self, AnnotateCommand.self, RectifyCommand.self, CorruptCommand.self,
      PairCommand.self, MistakesCommand.self, AlignCommand.self, LossCommand.self,
      TrainCommand.self, MergeCommand.self, ObjectivesCommand.self, GenerateCommand.self,
      EvaluateCommand.self, RenderCommand.self, ServeCommand.self,
      ScoreCommand.self,
      ReportCommand.self, InfoCommand.self,
    ])

  static func main() async {
    StandardStreams.prepare()
    do {
      do { try ProgramArguments.check() } catch { throw ValidationError("\(error)") }
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      try StandardStreams.flush()
    } catch {
      let status = exitCode(for: error)
      if status == .success {
        print(fullMessage(for: error))
      } else {
        StandardError.line(fullMessage(for: error))
      }
      Foundation.exit(status == .validationFailure ? 2 : status == .success ? 0 : 1)
    }
  }
}
