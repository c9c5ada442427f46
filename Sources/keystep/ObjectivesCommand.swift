import ArgumentParser
import Distillation

struct ObjectivesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "objectives", abstract: "List the objectives of train with their parameters.",
    discussion: """
      The output is Markdown: the tables of docs/objectives.md.

      Example: keystep objectives > objectives.md
      """)

  func run() { print(ObjectiveEntry.markdown, terminator: "") }
}
