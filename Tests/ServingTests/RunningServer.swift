import AsyncHTTPClient
import ChatTemplates
import Checkpoints
import Distillation
import Files
import Foundation
import LanguageModel
import NIOCore
import Randomness
import Serving
import TestSupport
import Tokenizers

/// A server on a free port of loopback, asked over HTTP.
struct RunningServer: Sendable {
  struct Reply: Sendable {
    var status: Int
    var contentType: String?
    var allow: String?
    var text: String

    /// The body as JSON.
    func json() throws -> JSONNode {
      JSONNode(try JSONValue(text.utf8, file: "reply"), file: "reply")
    }
  }

  let port: Int

  /// Runs `body` with a server of `student`, which ends with it.
  static func with(
    _ student: sending Student, template: ChatTemplate? = nil, workers: Int = 2, batch: Int = 4,
    _ body: (RunningServer) async throws -> Void
  ) async throws {
    let server = APIServer(
      ServedModel(student, name: "tiny", chatTemplate: template), workers: workers, batch: batch)
    let (ports, output) = AsyncStream<Int>.makeStream()
    let running = Task {
      defer { output.finish() }
      try await server.run(host: "127.0.0.1", port: 0, handlesSignals: false) { output.yield($0) }
    }
    var iterator = ports.makeAsyncIterator()
    guard let port = await iterator.next() else { return try await running.value }
    do { try await body(RunningServer(port: port)) } catch {
      running.cancel()
      throw error
    }
    running.cancel()
    _ = await running.result
  }

  func request(_ path: String, method: String, body: String?) -> HTTPClientRequest {
    var request = HTTPClientRequest(url: "http://127.0.0.1:\(port)\(path)")
    request.method = .init(rawValue: method)
    if let body {
      request.headers.add(name: "content-type", value: "application/json")
      request.body = .bytes(ByteBuffer(string: body))
    }
    return request
  }

  func get(_ path: String, method: String = "GET") async throws -> Reply {
    try await reply(request(path, method: method, body: nil))
  }

  /// To `/v1/completions`, if nothing else is said.
  func post(_ body: String, to path: String = "/v1/completions") async throws -> Reply {
    try await reply(request(path, method: "POST", body: body))
  }

  private func reply(_ request: HTTPClientRequest) async throws -> Reply {
    let response = try await HTTPClient.shared.execute(request, timeout: .seconds(60))
    let body = try await response.body.collect(upTo: 1 << 26)
    return Reply(
      status: Int(response.status.code), contentType: response.headers.first(name: "content-type"),
      allow: response.headers.first(name: "allow"), text: String(buffer: body))
  }
}

/// Students that are quick to run.
enum TinyStudent {
  /// The fixture `decoder/tied`, whose words are the numbers 3 to 96; its context is 64.
  static func numbered() throws -> Student {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    return try Student(path: numberedModel(in: folder.path))
  }

  /// Random parameters with a context that no test fills.
  static func endless() throws -> Student {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let tokenizer = try Tokenizer(path: numberedModel(in: folder.path))
    var generator = SeededGenerator(seed: 5)
    let decoder = try Decoder.random(
      ModelConfiguration(
        vocabularySize: 97, hiddenSize: 8, intermediateSize: 8, layerCount: 1, headCount: 1,
        keyValueHeadCount: 1, maximumPositions: 1 << 20), using: &generator)
    return Student(decoder: decoder, tokenizer: tokenizer, origin: "endless")
  }
}
