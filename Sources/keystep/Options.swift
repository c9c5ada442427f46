import ArgumentParser
import ChatTemplates
import Distillation
import Evaluation
import Files
import Foundation
import LanguageModel
import LinearAlgebra
import Reasoning

/// How products are computed, and by how many threads.
struct ComputeOptions: ParsableArguments {
  @Option(help: "Workers that share each step (default: the number of cores).")
  var workers: Int = AvailableCores.count
  @Option(
    help: """
      The format that the operands of matrix products are rounded to; sums, weights and all else stay \
      in fp32. bf16 is faster on processors with AVX512-BF16 or AMX and is emulated on others.
      """)
  var precision: Precision = .fp32
  @Option(
    name: .customLong("base-dtype"),
    help: """
      How the model's own matrices are kept: fp32, or stored, in the file's type (BF16, Q4_0, …), mapped \
      and expanded next to each product, which takes less memory and more time.
      """)
  var baseWeights: Decoder.WeightForm = .fp32

  var team: Workers { team() }

  func team(recomputingActivations: Bool = false) -> Workers {
    Workers(count: workers, precision: precision, recomputesActivations: recomputingActivations)
  }

  func validate() throws {
    guard (1...256).contains(workers) else {
      throw ValidationError("--workers must be from 1 to 256, not \(workers)")
    }
    // Once for a command, which may make several teams.
    if precision == .bf16, let advice = BFloat16Backend.advice {
      StandardError.line("bf16 is emulated: \(advice)")
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

/// Which texts are rendered with a chat template.
struct ChatOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      A Jinja file, or model for the model's own chat template: render plain texts too, each prompt as \
      one message of the user. If omitted, messages are rendered with the model's own, if it has one, \
      and plain texts are given as they are.
      """, valueName: "file"))
  var chatTemplate: String?
  @Flag(help: "Write messages out as plain text, without a chat template.")
  var noChatTemplate = false
  @Option(help: "The date that a chat template writes, YYYY-MM-DD (default: today).")
  var templateDate: String?

  func validate() throws {
    var problems: [String] = []
    if chatTemplate != nil, noChatTemplate {
      problems.append("give --chat-template or --no-chat-template, not both")
    }
    if let templateDate {
      if TemplateDate(templateDate) == nil {
        problems.append("--template-date must be a date such as 2025-03-14, not \(templateDate)")
      }
      if noChatTemplate { problems.append("--template-date: expected only with a chat template") }
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  var date: TemplateDate? { templateDate.flatMap { TemplateDate($0) } }

  var choice: ChatTemplateChoice {
    if noChatTemplate { return .none }
    guard let chatTemplate else { return .conversations(date: date) }
    return .everything(file: chatTemplate == "model" ? nil : chatTemplate, date: date)
  }
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
  @OptionGroup var chat: ChatOptions

  func load(_ weights: Decoder.WeightForm) throws -> Student {
    let student = try Student(
      path: model, tokenizer: tokenizer, includesSpecialTokens: specialTokens.specialTokens,
      weights: weights, chat: chat.choice)
    return try adapter.map(student.adapted(from:)) ?? student
  }
}

/// How students are asked, and their answers decoded.
struct DecodingOptions: ParsableArguments {
  @Option(
    help: """
      Ask with the cues for each prompt's task that this arm's student was trained with, cascod's in \
      two passes. If omitted, prompts are given as they are.
      """)
  var arm: TrainingArm?
  @Option(help: "Prompts decoded at once.")
  var batch = 32
  @Option(help: "The most tokens of an answer.")
  var maxNewTokens = 256
  @Option(help: "0 takes the most likely token; above 0, tokens are sampled.")
  var temperature: Float = 0
  @Option(help: "Sample from this many of the most likely tokens.")
  var topK: Int?
  @Option(help: "Sample from the most likely tokens that hold this much of the probability.")
  var topP: Double?
  @Option(help: "Seed of the sampling; each prompt has its own stream.")
  var seed: UInt64 = 0

  func validate() throws {
    var problems: [String] = []
    for (name, value) in [("batch", batch), ("max-new-tokens", maxNewTokens), ("top-k", topK ?? 1)]
    where !(1...1_000_000).contains(value) {
      problems.append("--\(name) must be from 1 to 1000000, not \(value)")
    }
    if !(temperature >= 0 && temperature.isFinite) {
      problems.append("--temperature must be a finite number, 0 or more, not \(temperature)")
    }
    if let topP, !(topP > 0 && topP <= 1) {
      problems.append("--top-p must be above 0 and at most 1, not \(topP)")
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  var settings: EvaluationSettings {
    var settings = EvaluationSettings()
    settings.maximumNewTokens = maxNewTokens
    (settings.temperature, settings.topK, settings.topP) = (temperature, topK, topP)
    (settings.seed, settings.batch) = (seed, batch)
    return settings
  }

  /// How the arm asks; nil for plain prompts.
  var asking: Evaluator.Asking? { arm.map { arm in { arm.decoding($0) } } }
}

/// How answers are compared with gold answers.
struct MatchOptions: ParsableArguments {
  @Option(
    help: """
      strict compares texts, flexible values ((B) and B, $18 and 18, YES and yes). If omitted, \
      published formats and the procedural tasks are compared strictly, all others by value.
      """)
  var match: AnswerRule.Matching?

  /// As results record it.
  var name: String { match?.rawValue ?? "by-task" }
}

extension TrainingArm: ExpressibleByArgument {
  public init?(argument: String) { self.init(named: argument) }
  public var defaultValueDescription: String { name }
  public static var allValueStrings: [String] { all.map(\.name) }
}
extension AnswerRule.Matching: ExpressibleByArgument {}

extension Precision: ExpressibleByArgument {}
extension Decoder.WeightForm: ExpressibleByArgument {}
