import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import Reasoning
import Teachers

/// A checkpoint that answers in this process, asked in its chat template where the student's setting has plain texts
/// rendered.
///
/// Prompts that arrive together are decoded as a batch. What a prompt gets depends on the others by
/// rounding only: it draws from a stream of its own, told by its text, the seed and the try. A
/// prompt that fills the model's context does not fit, and gets no text if it is asked.
public actor LocalTeacher: Teacher {
  public nonisolated let identity: String
  private let model: FrozenDecoder
  private let tokenizer: ExampleTokenizer
  private let generator: Generator
  private var waiting: [Request] = []
  private var isDecoding = false

  private struct Request {
    let prompt: TeacherPrompt
    let tokens: [Int]
    let sampling: TeacherSampling
    let answer: CheckedContinuation<TeacherAnswer, any Error>
  }

  /// - Parameters:
  ///   - identity: names the checkpoint; see `identity(of:adapter:)`.
  ///   - batch: prompts decoded at once.
  ///
  /// Throws where the tokenizer names no end-of-sequence token.
  public init(_ student: sending Student, identity: String, workers: Workers, batch: Int) throws {
    self.identity = identity
    tokenizer = try student.exampleTokenizer()
    model = FrozenDecoder(student.decoder)
    generator = Generator(
      workers: workers.count, batch: batch, precision: workers.precision)
  }

  /// A name for the checkpoint at `path`, with `adapter` on it: the SHA-256 of each, which is the
  /// same wherever they lie, and of the chat template that it is asked in.
  ///
  /// It covers everything that the checkpoint is loaded from; see `Checkpoint.checksum(at:)`. Throws
  /// where a file can't be read.
  public static func identity(
    of path: String, adapter: String? = nil, chat: ChatSetting = .none
  ) throws -> String {
    let checksums = try ([path] + [adapter].compactMap(\.self)).map(Checkpoint.checksum)
    let template = chat.rendersPlainText ? chat.record.map { ", chat template \($0)" } : nil
    return "local " + checksums.joined(separator: " with ") + (template ?? "")
  }

  public nonisolated func fits(_ prompt: TeacherPrompt) -> Bool {
    // A prompt that the chat template refuses is refused when it is asked.
    guard let tokens = try? tokenizer.encodeQuestion(prompt.text) else { return true }
    return hasRoom(after: tokens)
  }

  private nonisolated func hasRoom(after tokens: [Int]) -> Bool {
    tokens.count < tokenizer.maximumTokens ?? .max
  }

  public func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws
    -> TeacherAnswer
  {
    let tokens = try tokenizer.encodeQuestion(prompt.text)
    return try await withCheckedThrowingContinuation { answer in
      waiting.append(Request(prompt: prompt, tokens: tokens, sampling: sampling, answer: answer))
      if !isDecoding {
        isDecoding = true
        Task { await decode() }
      }
    }
  }

  /// Decodes until nothing waits.
  private func decode() async {
    while !waiting.isEmpty {
      // Those that are sent at the same time are given the time to arrive.
      try? await Task.sleep(for: .milliseconds(5))
      let settings = settings(waiting[0].sampling)
      let batch = waiting.filter { self.settings($0.sampling) == settings }
      waiting.removeAll { self.settings($0.sampling) == settings }
      var prompts: [(request: Request, tokens: [Int])] = []
      for request in batch {
        let tokens = request.tokens
        if tokens.isEmpty || !hasRoom(after: tokens) {
          request.answer.resume(returning: TeacherAnswer(texts: [], promptTokens: tokens.count))
        } else {
          prompts.append((request, tokens))
        }
      }
      let texts = await generate(prompts, settings)
      for ((request, tokens), generated) in zip(prompts, texts) {
        let text = tokenizer.tokenizer.decode(generated.tokens, skippingSpecialTokens: true)
        let (response, isStopped) = text.cut(before: request.sampling.stop)
        request.answer.resume(
          returning: TeacherAnswer(
            texts: [response], promptTokens: tokens.count,
            completionTokens: generated.tokens.count,
            ending: isStopped || generated.reason == .stop ? .complete : .truncated))
      }
    }
    isDecoding = false
  }

  private func settings(_ sampling: TeacherSampling) -> SamplingSettings {
    SamplingSettings(
      temperature: Float(sampling.temperature), topP: sampling.topP,
      maximumNewTokens: sampling.maximumTokens,
      stop: tokenizer.stopTokens)
  }

  /// Decodes on a thread of its own, so that further prompts can arrive.
  private func generate(
    _ prompts: [(request: Request, tokens: [Int])], _ settings: SamplingSettings
  ) async -> [GeneratedSequence] {
    let streams = prompts.map {
      let sampling = $0.request.sampling
      return "\(sampling.seed) \(sampling.attempt) \(SHA256.hex(of: $0.request.prompt.text))"
    }
    nonisolated(unsafe) let generator = generator
    let (tokens, model) = (prompts.map(\.tokens), model)
    return await withCheckedContinuation { done in
      Thread.detachNewThread {
        done.resume(
          returning: generator.generate(tokens, on: model.reader(), settings, streams: streams))
      }
    }
  }
}
