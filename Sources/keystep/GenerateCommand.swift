import ArgumentParser
import Distillation
import LanguageModel
import LinearAlgebra
import Reasoning

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue prompts with a model.",
    discussion: """
      With --json a line for each prompt, in their order: {"index","prompt_tokens","tokens","text",\
      "reason"}; the reason is stop, length or context. With --arm the prompt is given with the \
      arm's cues, and an answer that is asked for alone with the cue that leads to it.

      Example: keystep generate --model models/SmolLM2-135M-Instruct.Q4_1.gguf \
      --prompts prompts.jsonl --batch 32 --max-new-tokens 64 --json
      """)

  @OptionGroup var student: StudentOptions
  @Option(help: "Prompts as JSON lines with prompt.")
  var prompts: String
  @OptionGroup var decoding: DecodingOptions
  @OptionGroup var workers: WorkerOptions
  @Flag(help: "Print JSON lines.")
  var json = false

  private struct Line: Encodable {
    var index: Int
    var promptTokens: [Int]
    var tokens: [Int]
    var text: String
    var reason: String
  }

  func run() throws {
    let prompts = try JSONLines.prompts(at: prompts)
    let student = try student.load()
    let answers = try decoding.responses(
      to: prompts, of: self.prompts, by: student, workers: workers.workers)
    for (index, answer) in answers.enumerated() {
      let text = student.tokenizer.decode(answer.tokens, skippingSpecialTokens: true)
      if json {
        try printJSONLine(
          Line(
            index: index, promptTokens: answer.prompt, tokens: answer.tokens, text: text,
            reason: answer.reason.rawValue))
      } else {
        print("\(prompts[index].text)\(text)\n")
      }
    }
  }
}
