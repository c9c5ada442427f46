import ArgumentParser
import Distillation
import Evaluation
import Files
import Foundation
import KeySteps
import LanguageModel
import Reasoning

/// Which tokens of a pair are key tokens.
struct KeyTokenOptions: ParsableArguments {
  @Flag(help: "Take both sides' key tokens from one edit script instead of one for each side.")
  var sharedScript = false
  @Flag(help: "Keep the rejected side's key tokens only in their first unbroken run.")
  var firstWrongRun = false
  @Option(
    help: """
      What is aligned: token, word or sentence; or step, which aligns tokens and marks the whole \
      sentence that holds a key token.
      """)
  var unit: AlignmentUnit = .token

  var choice: KeyTokenChoice {
    KeyTokenChoice(sharesScript: sharedScript, onlyFirstRejectedRun: firstWrongRun, unit: unit)
  }
}

/// The weights of key reasoning steps learning.
///
/// A weight may be negative, and so begin like a flag.
struct KeyStepOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: "Weight of the chosen response's key tokens.")
  var alpha: Float = 1
  @Option(
    parsing: .unconditional,
    help: "Weight of the rejected response's key tokens; negative pushes them down.")
  var beta: Float = -0.025
  @Option(parsing: .unconditional, help: "Weight of the chosen response's other tokens.")
  var gamma: Float = 0
  @Option(
    name: .customLong("guard"),
    help: "Rejected tokens whose -log p is above this many nats are let be.")
  var guardThreshold: Float = 20

  var weights: KeyStepWeights { KeyStepWeights(alpha: alpha, beta: beta, gamma: gamma) }

  func validate() throws {
    for (name, value) in [("alpha", alpha), ("beta", beta), ("gamma", gamma)] where !value.isFinite
    {
      throw ValidationError("--\(name) wants a finite number, not \(value)")
    }
    if guardThreshold.isNaN { throw ValidationError("--guard wants a number of nats") }
  }
}

/// What the objectives beside KRSL are set to.
struct ObjectiveSettings: ParsableArguments {
  @Option(help: "The answer's share of the loss in mt-re, mt-cot, mt-ra, scott and cascod.")
  var lambda: Float = 0.5
  @Option(help: "The share of tokens that entropy (0.2) and rho-1 (0.6) keep.")
  var keptShare: Float?
  @Option(help: "The weight of prompt tokens in prompt-weighted.")
  var promptWeight: Float = 0.1
  @Option(help: "The weight of response tokens in prompt-weighted.")
  var responseWeight: Float = 1
  @Option(help: "The β of dpo, dpop and cdpo (0.1) and of step-dpo (0.4).")
  var preferenceBeta: Double?
  @Option(help: "dpop's λ.")
  var preferencePenalty: Double = 50
  @Option(help: "The weight of wrong chains in redi.")
  var rediAlpha: Float = 0.8

  func validate() throws {
    var problems: [String] = []
    if !(0...1).contains(lambda) {
      problems.append("--lambda wants a share from 0 to 1, not \(lambda)")
    }
    if let keptShare, !(keptShare > 0 && keptShare <= 1) {
      problems.append("--kept-share wants a share above 0 and up to 1, not \(keptShare)")
    }
    for (name, value) in [
      ("prompt-weight", Double(promptWeight)), ("response-weight", Double(responseWeight)),
      ("preference-penalty", preferencePenalty), ("redi-alpha", Double(rediAlpha)),
    ] where !(value >= 0 && value.isFinite) {
      problems.append("--\(name) wants a finite number from 0 up, not \(value)")
    }
    if let preferenceBeta, !(preferenceBeta > 0 && preferenceBeta.isFinite) {
      problems.append("--preference-beta wants a number above 0, not \(preferenceBeta)")
    }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "; ")) }
  }

  func options(_ weights: KeyStepOptions, _ choice: KeyTokenOptions, seed: UInt64)
    -> ObjectiveOptions
  {
    var options = ObjectiveOptions()
    options.weights = weights.weights
    options.guardThreshold = weights.guardThreshold
    options.choice = choice.choice
    options.lambda = lambda
    options.keptShare = keptShare
    (options.promptWeight, options.responseWeight) = (promptWeight, responseWeight)
    options.preferenceBeta = preferenceBeta
    options.preferencePenalty = preferencePenalty
    options.reinforcementAlpha = rediAlpha
    options.seed = seed
    return options
  }
}

extension AlignmentUnit: ExpressibleByArgument {}

/// How many threads share the work.
struct WorkerOptions: ParsableArguments {
  @Option(help: "Workers that share each step; as many as there are cores where left out.")
  var workers: Int = AvailableCores.count

  func validate() throws {
    guard (1...256).contains(workers) else {
      throw ValidationError("--workers wants a number from 1 to 256, not \(workers)")
    }
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

  func load() throws -> Student {
    let student = try Student(path: model, tokenizer: tokenizer)
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
  var arm: ArmName?
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
    where value < 1 { problems.append("--\(name) wants a number from 1 up, not \(value)") }
    if !(temperature >= 0 && temperature.isFinite) {
      problems.append("--temperature wants a finite number from 0 up, not \(temperature)")
    }
    if let topP, !(topP > 0 && topP <= 1) {
      problems.append("--top-p wants a share above 0 and up to 1, not \(topP)")
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
        stop: Set(student.decoder.configuration.endsOfSequence + [tokenizer.endOfSequence])),
      seed: seed)
  }
}

extension ArmName: ExpressibleByArgument {}
