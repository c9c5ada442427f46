import Files
import Foundation

/// A chain of thought in which people have marked the first wrong step.
public struct LabelledChain: Hashable, Sendable {
  public var id: String
  public var task: String
  public var question: String
  public var steps: [String]
  /// The index of the first wrong step; nil where none is marked.
  public var mistake: Int?
  /// The gold answer.
  public var gold: String
  /// A right solution that is published with the question; nil where there is none.
  public var solution: String?

  /// Reads chains of BIG-Bench Mistake: lines of `{"input", "steps", "target", "mistake_index"}`. The task is the file's
  /// name.
  ///
  /// Source: Tyen et al., arXiv 2311.08516; https://github.com/WHGTyen/BIG-Bench-Mistake
  public static func bigBenchMistake(at path: String) throws(FileError) -> [LabelledChain] {
    let task = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    var chains: [LabelledChain] = []
    for (number, line) in try JSONLinesFile.objects(of: path).enumerated() {
      let steps = try line.strings("steps")
      let mistake = try line["mistake_index"].map { node throws(FileError) in
        try index(node, of: steps)
      }
      chains.append(
        LabelledChain(
          id: "\(task)-\(number)", task: task, question: try line.filledString("input"),
          steps: steps, mistake: mistake, gold: try line.filledString("target")))
    }
    return chains
  }

  /// Reads wrong solutions of MR-GSM8K: lines of `{"uuid", "question", "ground_truth_solution", "ground_truth_answer",
  /// "model_output_steps", "model_output_solution_first_error_step"}`, whose steps count from 1.
  ///
  /// Source: Zeng et al., arXiv 2312.17080; https://github.com/dvlab-research/MR-GSM8K
  public static func mrGSM8K(at path: String) throws(FileError) -> [LabelledChain] {
    var chains: [LabelledChain] = []
    for line in try JSONLinesFile.objects(of: path) {
      let steps = try line.strings("model_output_steps")
      let label = line.child("model_output_solution_first_error_step")
      chains.append(
        LabelledChain(
          id: try line.filledString("uuid"), task: "mr-gsm8k",
          question: try line.filledString("question"), steps: steps,
          mistake: try index(label, of: steps, from: 1),
          gold: try textOrNumber(line.child("ground_truth_answer")),
          solution: try line.optionalString("ground_truth_solution").map(withoutNotes)
            .flatMap { $0.isEmpty ? nil : $0 }))
    }
    return chains
  }

  /// A solution without its calculator notes (`<<48/2=24>>`).
  package static func withoutNotes(_ solution: String) -> String {
    solution.replacing(/<<[^<>]*>>/, with: "")
  }

  /// A text, or a number as a text.
  private static func textOrNumber(_ node: JSONNode) throws(FileError) -> String {
    switch node.value {
    case .string(let text): text
    case .integer, .number: node.value.text()
    default: throw node.error(expected: "a string or a number")
    }
  }

  private static func index(_ node: JSONNode, of steps: [String], from first: Int = 0)
    throws(FileError) -> Int
  {
    let number = try node.integer() - first
    guard steps.indices.contains(number) else {
      throw node.error(
        expected: "a step from \(first) to \(steps.count - 1 + first)", found: "\(number + first)")
    }
    return number
  }

  /// The steps as one text, one on each line, after the space that parts a response from its prompt.
  public var text: String { Self.text(of: steps) }

  public static func text(of steps: [String]) -> String { " " + steps.joined(separator: "\n") }

  /// Where the marked step stands in `text`, with the space before it, as UTF-8 offsets; nil where none is marked.
  public var mistakeRange: Range<Int>? {
    mistake.map { step in
      let start = steps[..<step].reduce(0) { $0 + 1 + $1.utf8.count }
      return start..<(start + 1 + steps[step].utf8.count)
    }
  }
}

extension LabelledChain {
  /// The chain put right by program in its own words, whichever step is marked: each step that is right stays as it is.
  /// Nil where the task is none that can be worked out (tracking shuffled objects, multistep arithmetic), the steps have
  /// another form, or nothing in them is wrong.
  public var correctedSteps: [String]? {
    let corrected: [String]? =
      switch task {
      case "tracking_shuffled_objects": TrackedObjects(question)?.correcting(steps)
      case "multistep_arithmetic": MultistepArithmetic(question)?.correcting(steps)
      default: nil
      }
    guard let corrected, corrected != steps,
      corrected.last?.hasSuffix("So the answer is \(gold)") == true
    else { return nil }
    return corrected
  }
}
