import ArgumentParser
import Distillation
import LanguageModel
import Parameters
import Reasoning

struct LossCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loss", abstract: "The key-step loss of dual pairs under a model.",
    discussion: """
      With --json a line for each pair, {"index","chosen_loss","rejected_loss","loss"}, then \
      {"pairs","loss"} over all; nats, each side the weighted sum over its tokens divided by their \
      number.

      Parameters of the loss:
      \(ObjectiveEntry.keySteps.parameters.help)

      Example: keystep loss --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl --json
      """)

  @OptionGroup var student: StudentOptions
  @Option(help: "Dual pairs as JSON lines with prompt, chosen and rejected.")
  var pairs: String
  @OptionGroup var parameters: ParameterOptions
  @OptionGroup var compute: ComputeOptions
  @Flag(help: "Print JSON lines.")
  var json = false

  private struct Line: Encodable {
    var index: Int
    var chosenLoss: Double
    var rejectedLoss: Double
    var loss: Double
  }

  private struct Total: Encodable {
    var pairs: Int
    var loss: Double
  }

  private func values() throws(UsageError) -> ParameterValues {
    try parameters.values(
      of: ObjectiveEntry.keySteps.parameters, owner: "loss", command: Self.self)
  }

  func validate() throws { try report([]) { () throws(UsageError) in _ = try values() } }

  func run() throws {
    let dualPairs = try JSONLines.pairs(at: pairs)
    let student = try student.load(compute.baseWeights)
    let tokenizer = try student.exampleTokenizer()
    let data = TrainingData(
      correct: [], pairs: try tokenizer.tokenize(dualPairs, file: pairs), tokenizer: tokenizer,
      file: pairs)
    let workers = compute.team
    let objective = try ObjectiveEntry.keySteps.objective(data, values().values) {
      ReferenceModels(student: student.decoder, workers: workers)
    }
    var sum = 0.0
    var index = 0
    // A few pairs at a time, so that lines come as they are known.
    for start in stride(from: 0, to: objective.examples.count, by: 32) {
      let examples = objective.examples[start..<min(start + 32, objective.examples.count)]
      let losses = workers.losses(
        of: examples.map(\.tree), on: student.decoder, rule: objective.rule)
      for loss in losses {
        let rejected = loss.loss(ofSegment: Objective.rejectedSegment)
        sum += loss.loss
        if json {
          try printJSONLine(
            Line(
              index: index, chosenLoss: loss.loss - rejected, rejectedLoss: rejected,
              loss: loss.loss))
        } else {
          print(
            "pair \(index): chosen \(loss.loss - rejected), rejected \(rejected), loss \(loss.loss)"
          )
        }
        index += 1
      }
    }
    let mean = sum / Double(index)
    if json {
      try printJSONLine(Total(pairs: index, loss: mean))
    } else {
      print("\(index) pairs, mean loss \(mean)")
    }
  }
}
