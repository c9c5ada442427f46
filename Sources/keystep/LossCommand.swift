import ArgumentParser
import Distillation
import LanguageModel
import Reasoning

struct LossCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "loss", abstract: "The key-step loss of dual pairs under a model.",
    discussion: """
      With --json a line for each pair, {"index","chosen_loss","rejected_loss","loss"}, then \
      {"pairs","loss"} over all; nats, each side the weighted sum over its tokens divided by their \
      number.

      Example: keystep loss --model models/SmolLM2-135M-Instruct.Q4_1.gguf --pairs pairs.jsonl --json
      """)

  @OptionGroup var student: StudentOptions
  @Option(help: "Dual pairs as JSON lines with prompt, chosen and rejected.")
  var pairs: String
  @OptionGroup var weights: KeyStepOptions
  @OptionGroup var choice: KeyTokenOptions
  @OptionGroup var workers: WorkerOptions
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

  func run() throws {
    let dualPairs = try JSONLines.pairs(at: pairs)
    let student = try student.load()
    let tokenized = try student.exampleTokenizer().tokenize(
      dualPairs, file: pairs, unit: choice.unit)
    let objective = Objective.keySteps(
      tokenized, weights: weights.weights, guardThreshold: weights.guardThreshold,
      choice: choice.choice)
    let workers = Workers(count: workers.workers)
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
