import ArgumentParser
import Distillation
import LanguageModel

struct MergeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "merge", abstract: "Write a model with an adapter merged into its weights.",
    discussion: """
      The folder has the model in single precision, its tokenizer and generation_config.json, and is \
      read by --model and by Transformers.

      Example: keystep merge --model models/SmolLM2-135M-Instruct.Q4_1.gguf --adapter runs/stage1 \
      --output runs/stage1-merged
      """)

  @Option(help: "A .gguf file or a Hugging Face folder.")
  var model: String
  @Option(help: "A PEFT adapter's folder.")
  var adapter: String
  @Option(help: "A tokenizer in place of the model's own.")
  var tokenizer: String?
  @Option(help: "The Hugging Face folder to write.")
  var output: String

  func run() throws {
    var student = try Student(path: model, tokenizer: tokenizer).adapted(from: adapter)
    student.decoder = student.decoder.merged()
    try student.write(to: output)
  }
}
