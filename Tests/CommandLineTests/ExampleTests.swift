import Foundation
import TestSupport
import Testing

/// `examples/`, as a user of the libraries writes them.
@Suite struct ExampleTests {
  /// The repository's root.
  private let root = URL(fileURLWithPath: #filePath).pathComponents.dropLast(3)
    .joined(separator: "/")

  @Test("train-a-student trains as the command does and leaves an adapter")
  func train() throws {
    let place = try Workplace()
    let model = try numberedModel(in: place.path)
    let pairs = try place.pairs(somePairs)
    let call = try runExecutable(
      executable("train-a-student"), [model, pairs, place.path + "/adapter"])
    #expect(call.status == 0, "\(call.output)\(call.errors)")
    let command = try keystep(
      "train", "--model", model, "--pairs", pairs, "--objective", "krsl", "--learning-rate", "5e-5",
      "--weight-decay", "0", "--steps", "4", "--batch-size", "8", "--seed", "1", "--json")
    let losses = try command.objects().compactMap { $0["loss"] as? Double }
    let shown = call.lines.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
    try #require(shown.count == 4 && losses.count == 4)
    // Later steps differ by the schedule: the command's rate falls with each epoch.
    #expect(abs(shown[0] - losses[0]) < 1e-12 && shown[3] < shown[0])
    let loaded = try keystep(
      "loss", "--model", model, "--adapter", place.path + "/adapter", "--pairs", pairs, "--json")
    #expect(loaded.status == 0, "\(loaded.errors)")

    let broken = try place.file("broken.jsonl", #"{"prompt": "10"}"# + "\n")
    let refused = try runExecutable(
      executable("train-a-student"), [model, broken, place.path + "/adapter"])
    #expect(refused.status == 1 && refused.output.contains("broken.jsonl: line 1"))
  }

  @Test("the README shows the example as it is")
  func readme() throws {
    let example = try String(
      contentsOfFile: root + "/examples/train-a-student/main.swift", encoding: .utf8)
    let readme = try String(contentsOfFile: root + "/README.md", encoding: .utf8)
    #expect(readme.contains("```swift\n\(example)```"))
  }
}
