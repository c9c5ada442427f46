import Distillation
import Files
import Foundation
import LanguageModel
import Reasoning
import Teachers

/// A checkpoint that answers in this process.
///
/// Prompts that arrive together are decoded as a batch. What a prompt gets depends on the others by
/// rounding only: it draws from a stream of its own, told by its text, the seed and the try. A
/// prompt that fills the model's context does not fit, and gets no text if it is asked.
public actor LocalTeacher: Teacher {
  public nonisolated let identity: String
  private let student: Student
  private let tokenizer: ExampleTokenizer
  private let generator: Generator
  private var waiting: [Request] = []
  private var isDecoding = false

  private struct Request {
    let prompt: TeacherPrompt
    let sampling: TeacherSampling
    let answer: CheckedContinuation<TeacherAnswer, any Error>
  }

  /// - Parameters:
  ///   - identity: names the checkpoint; see `identity(of:adapter:)`.
  ///   - batch: prompts decoded at once.
  ///
  /// Throws where the tokenizer names no end-of-sequence token.
  public init(_ student: Student, identity: String, workers: Int, batch: Int) throws {
    self.identity = identity
    self.student = student
    tokenizer = try student.exampleTokenizer()
    generator = Generator(workers: workers, batch: batch)
  }

  /// A name for the checkpoint at `path`, with `adapter` on it: the SHA-256 of each, which is the
  /// same wherever they lie.
  ///
  /// Of a folder it is that of the lines which `sha256sum` writes for its weights, tokenizer and
  /// settings (`.safetensors` and `.json`), in the order of their names. Throws where a file can't
  /// be read.
  public static func identity(of path: String, adapter: String? = nil) throws -> String {
    try "local "
      + ([path] + [adapter].compactMap(\.self)).map(checksum).joined(separator: " with ")
  }

  private static func checksum(of path: String) throws -> String {
    var isFolder: ObjCBool = false
    let manager = FileManager.default
    guard manager.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
      return try SHA256.hex(ofFileAt: path)
    }
    let names = try manager.contentsOfDirectory(atPath: path).sorted().filter {
      $0.hasSuffix(".safetensors") || $0.hasSuffix(".json")
    }
    return try SHA256.hex(
      of: names.map { "\(try SHA256.hex(ofFileAt: "\(path)/\($0)"))  \($0)\n" }.joined())
  }

  public nonisolated func fits(_ prompt: TeacherPrompt) -> Bool {
    hasRoom(after: tokenizer.encodePrompt(prompt.text))
  }

  private nonisolated func hasRoom(after tokens: [Int]) -> Bool {
    tokens.count < tokenizer.maximumTokens ?? .max
  }

  public func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws
    -> TeacherAnswer
  {
    try await withCheckedThrowingContinuation { answer in
      waiting.append(Request(prompt: prompt, sampling: sampling, answer: answer))
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
        let tokens = tokenizer.encodePrompt(request.prompt.text)
        if tokens.isEmpty || !hasRoom(after: tokens) {
          request.answer.resume(returning: TeacherAnswer(texts: [], promptTokens: tokens.count))
        } else {
          prompts.append((request, tokens))
        }
      }
      let texts = await generate(prompts, settings)
      for ((request, tokens), generated) in zip(prompts, texts) {
        let text = student.tokenizer.decode(generated.tokens, skippingSpecialTokens: true)
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
    let (tokens, decoder) = (prompts.map(\.tokens), student.decoder)
    return await withCheckedContinuation { done in
      Thread.detachNewThread {
        done.resume(
          returning: generator.generate(tokens, on: decoder, settings, streams: streams))
      }
    }
  }
}
