import Distillation
import LanguageModel
import Reasoning

/// The wrong chains that a student itself writes: samples of its responses with an answer other than the gold one.
public struct StudentMistakes: Sendable {
  /// One for each question, response and wrong answer that differs, in the questions' order.
  public private(set) var chains: [ChainOfThought] = []
  /// Sampled responses with the gold answer, with another, without any, and those that did not come to an end.
  public private(set) var right = 0
  public private(set) var wrong = 0
  public private(set) var unparsed = 0
  public private(set) var truncated = 0

  /// Asks `decoder` for `samples` responses to each of `questions`, by `settings` with a temperature above 0, and judges
  /// them by the rules of their tasks. A response without an answer, or that is as long as it may be, is no chain.
  ///
  /// `file` names the questions in messages. Throws a `FileError` where a question has no token or fills the student's
  /// context.
  public init(
    of decoder: Decoder, _ tokenizer: ExampleTokenizer, to questions: [Question], samples: Int,
    _ settings: EvaluationSettings, workers: Workers, file: String
  ) throws {
    let prompts = try tokenizer.tokenize(questions.map(Prompt.init), file: file)
    var found: [[ChainOfThought]] = questions.map { _ in [] }
    for sample in 0..<samples {
      var settings = settings
      settings.seed = settings.seed &* UInt64(samples) &+ UInt64(sample)
      let evaluator = Evaluator(decoder, tokenizer, settings, workers: workers)
      let responses = try evaluator.responses(to: prompts)
      for (index, (question, response)) in zip(questions, responses).enumerated() {
        guard response.response.reason == .stop else {
          truncated += 1
          continue
        }
        let reading = AnswerRule.judging(task: question.task, matching: settings.matching)
          .read(response.text, gold: question.answer ?? "", options: question.options)
        guard reading.isParsed else {
          unparsed += 1
          continue
        }
        if reading.isCorrect {
          right += 1
          continue
        }
        wrong += 1
        guard !found[index].contains(where: { $0.text == response.text }) else { continue }
        found[index].append(
          ChainOfThought(
            questionID: question.id, task: question.task, prompt: question.prompt,
            text: response.text, answer: reading.answer, isCorrect: false, origin: .sampled))
      }
    }
    chains = found.flatMap(\.self)
  }
}
