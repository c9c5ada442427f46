// Trains a LoRA adapter with key reasoning steps learning (KRSL):
//   swift run -c release train-a-student MODEL PAIRS.jsonl OUTPUT
import Distillation
import Files
import Foundation
import LanguageModel
import Randomness
import Reasoning

let arguments = CommandLine.arguments.dropFirst()
guard arguments.count == 3 else { exit("usage: train-a-student MODEL PAIRS.jsonl OUTPUT") }
let (model, file, output) = (arguments[1], arguments[2], arguments[3])

do {
  var student = try Student(path: model)
  var random = SeededGenerator(seed: 1, stream: "initialisation")
  student.decoder = student.decoder.adapted(
    by: try LowRankAdapter(
      LowRankConfiguration(), for: student.decoder.configuration, using: &random))

  let pairs = try student.exampleTokenizer().tokenize(JSONLines.pairs(at: file), file: file)
  let trainer = Trainer(
    student.decoder, .keySteps(pairs),
    TrainingSettings(learningRate: 5e-5, length: .steps(4), batchSize: 8, seed: 1),
    workers: Workers(count: AvailableCores.count))
  try trainer.run { step in print("step \(step.step + 1): loss \(step.loss)") }

  try student.write(to: output)
} catch { exit("\(error)") }

func exit(_ message: String) -> Never {
  print(message)
  Foundation.exit(1)
}
