import ArgumentParser
import Distillation
import Evaluation
import Files
import Foundation
import LanguageModel
import Reasoning

struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Continue prompts with a model.",
    discussion: """
      With --json a line for each prompt, in their order: {"index","prompt_tokens","tokens","text",\
      "reason"}; the reason is stop, length or context. With --arm the prompt is given with the \
      arm's cues, and the text of an answer without a chain begins with the cue before the answer.

      Example: keystep generate --model models/SmolLM2-135M-Instruct.Q4_1.gguf \
      --prompts prompts.jsonl --batch 32 --max-new-tokens 64 --json
      """)

  @OptionGroup var student: StudentOptions
  @Option(help: "Prompts as JSON lines with prompt.")
  var prompts: String
  @OptionGroup var decoding: DecodingOptions
  @OptionGroup var compute: ComputeOptions
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
    let student = try student.load(compute.baseWeights)
    let tokenizer = try student.exampleTokenizer()
    let responses = try Evaluator(
      student.decoder, tokenizer, decoding.settings, workers: compute.team
    ).responses(
      to: tokenizer.tokenize(prompts, file: self.prompts), asking: decoding.asking)
    for (index, answer) in responses.enumerated() {
      if json {
        try printJSONLine(
          Line(
            index: index, promptTokens: answer.response.prompt, tokens: answer.response.tokens,
            text: answer.text, reason: answer.response.reason.rawValue))
      } else {
        let isRendered = tokenizer.renders(prompts[index].conversation)
        let text = "\(prompts[index].text)\(isRendered ? "\n\n" : "")\(answer.text)\n"
        print(isatty(STDOUT_FILENO) == 1 ? TerminalText.shown(text) : text)
      }
    }
  }
}
