import ArgumentParser
import Distillation
import Evaluation
import Foundation
import LanguageModel
import Reasoning

/// How many threads share the work.
struct WorkerOptions: ParsableArguments {
  @Option(help: "Workers that share each step; as many as there are cores where left out.")
  var workers: Int = AvailableCores.count

  func validate() throws {
    guard (1...256).contains(workers) else {
      throw ValidationError("--workers must be from 1 to 256, not \(workers)")
    }
  }
}

/// Which tokens prompts get beside those of their text.
struct SpecialTokenOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Begin prompts with the tokenizer's start tokens (BOS), if it has any.")
  var specialTokens = true
}

/// A model to be used as it is.
struct StudentOptions: ParsableArguments {
  @Option(help: "A .gguf file or a Hugging Face folder.")
  var model: String
  @Option(help: "A PEFT adapter's folder, put on the model.")
  var adapter: String?
  @Option(help: "A tokenizer in place of the model's own.")
  var tokenizer: String?
  @OptionGroup var specialTokens: SpecialTokenOptions

  func load() throws -> Student {
    let student = try Student(
      path: model, tokenizer: tokenizer, includesSpecialTokens: specialTokens.specialTokens)
    return try adapter.map(student.adapted(from:)) ?? student
  }
}

/// How students are asked, and their answers decoded.
struct DecodingOptions: ParsableArguments {
  @Option(
    help: """
      Ask as a student that this arm trained is asked: with its cues for the prompt's task, cascod's \
      in two passes. Plainly where left out.
      """)
  var arm: TrainingArm?
  @Option(help: "Prompts decoded at once.")
  var batch = 32
  @Option(help: "The most tokens of an answer.")
  var maxNewTokens = 256
  @Option(help: "0 takes the likeliest token; above, tokens are drawn.")
  var temperature: Float = 0
  @Option(help: "Draw from the likeliest so many tokens alone.")
  var topK: Int?
  @Option(help: "Draw from the likeliest tokens that hold this much of the probability.")
  var topP: Double?
  @Option(help: "Seed of the drawing; each prompt has its own stream.")
  var seed: UInt64 = 0

  func validate() throws {
    var problems: [String] = []
    for (name, value) in [("batch", batch), ("max-new-tokens", maxNewTokens), ("top-k", topK ?? 1)]
    where value < 1 { problems.append("--\(name) must be 1 or more, not \(value)") }
    if !(temperature >= 0 && temperature.isFinite) {
      problems.append("--temperature must be a finite number, 0 or more, not \(temperature)")
    }
    if let topP, !(topP > 0 && topP <= 1) {
      problems.append("--top-p must be above 0 and at most 1, not \(topP)")
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  /// The responses to the prompts of `file`, in their order.
  func responses(
    to prompts: [JSONLines.Prompt], of file: String, by student: Student, workers: Int
  ) throws -> [ArmResponse] {
    let tokenizer = try student.exampleTokenizer()
    let asked = try prompts.enumerated().map { index, prompt in
      (
        tokens: try tokenizer.prompt(prompt.text, file: file, place: "prompt \(index + 1)"),
        decoding: try arm?.decoding(TokenizedCues(.usual(forTask: prompt.task), tokenizer))
          ?? .plain
      )
    }
    return Generator(workers: workers, batch: batch).responses(
      to: asked, on: student.decoder,
      SamplingSettings(
        temperature: temperature, topK: topK, topP: topP, maximumNewTokens: maxNewTokens,
        stop: tokenizer.stopTokens),
      seed: seed)
  }
}

extension TrainingArm: ExpressibleByArgument {
  public init?(argument: String) { self.init(named: argument) }
  public var defaultValueDescription: String { name }
  public static var allValueStrings: [String] { all.map(\.name) }
}
