import Files
import Foundation

/// One of the teacher outputs published with BIG-Bench Hard: `{"outputs": [{"input", "prediction",
/// "target"}]}`. The task is the file's name.
///
/// Source: Suzgun et al., arXiv 2210.09261; https://github.com/suzgunmirac/BIG-Bench-Hard
package struct BigBenchHardOutput {
  /// The task and the output's number in the file, from 0.
  package let id: String
  package let task: String
  package let prediction: String
  package let target: String
  private let node: JSONNode

  /// Reads the outputs of the file at `path`. Throws a `FileError` that names the output and field.
  package static func outputs(at path: String) throws -> [BigBenchHardOutput] {
    let task = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    return try JSONNode(path: path).elements("outputs").enumerated().map { number, node in
      BigBenchHardOutput(
        id: "\(task)-\(number)", task: task, prediction: try node.string("prediction"),
        target: try node.filledString("target"), node: node)
    }
  }

  /// The question: what comes between the last `Q: ` of the few-shot prompt `input` and the `A:`
  /// after it. Throws a `FileError` if there is none.
  package func question() throws -> Question {
    let input = try node.filledString("input")
    guard let start = input.ranges(of: "Q: ").last?.upperBound,
      let end = input[start...].ranges(of: "\nA:").last?.lowerBound
    else {
      throw node.error(
        "input", expected: "a text that ends with \"Q: \", a question and \"A:\"")
    }
    let text = input[start..<end].trimmingSpace()
    return Question(
      id: id, task: task, text: text, options: Question.options(in: text), answer: target)
  }
}
