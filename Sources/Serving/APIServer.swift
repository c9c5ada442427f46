import Files
import Foundation
import Hummingbird
import LinearAlgebra
import Logging
import NIOCore

/// A server of OpenAI's API for one student: `/v1/completions`, `/v1/chat/completions`, `/v1/models`, `/health`.
public struct APIServer: Sendable {
  private let model: ServedModel
  private let engine: Engine

  /// - Parameters:
  ///   - workers: Threads that compute.
  ///   - batch: Sequences that are decoded at once, by all workers together.
  ///   - precision: That of the products' operands.
  ///
  /// Precondition: `workers` and `batch` are at least 1.
  public init(_ model: ServedModel, workers: Int, batch: Int, precision: Precision = .fp32) {
    self.model = model
    engine = Engine(model.decoder, workers: workers, batch: batch, precision: precision)
  }

  /// Serves at `host` and `port`, 0 for a free one, until the process gets SIGINT or SIGTERM and the requests that came
  /// before have their replies, or until the task is cancelled.
  ///
  /// `onListening` is called once, with the port. Throws where the address cannot be listened at.
  public func run(
    host: String, port: Int, handlesSignals: Bool = true,
    onListening: @escaping @Sendable (Int) -> Void
  ) async throws {
    var logger = Logger(label: "keystep")
    logger.logLevel = .critical
    let application = Application(
      responder: APIResponder(model: model, engine: engine),
      configuration: ApplicationConfiguration(address: .hostname(host, port: port)),
      onServerRunning: { onListening($0.localAddress?.port ?? port) }, logger: logger)
    if handlesSignals {
      try await application.runService()
    } else {
      try await application.runService(gracefulShutdownSignals: [])
    }
  }
}

/// Finds what a request asks for, and turns every error into a reply.
struct APIResponder: HTTPResponder {
  typealias Context = BasicRequestContext

  let model: ServedModel
  let engine: Engine
  private let started = Int(Date().timeIntervalSince1970)

  init(model: ServedModel, engine: Engine) { (self.model, self.engine) = (model, engine) }

  /// The longest body, in bytes.
  static let longestBody = 32 << 20
  /// Sequences that may wait; a request that comes while there are more is refused.
  static let mostWaiting = 8192

  func respond(to request: Request, context: Context) async throws -> Response {
    do {
      return try await reply(to: request)
    } catch let error as APIError {
      return Self.response(error)
    } catch is NIOTooManyBytesError {
      return Self.response(
        APIError(
          "The request's body is longer than \(Self.longestBody) bytes.", status: .contentTooLarge))
    } catch is CancellationError {
      // The client is gone.
      return Self.response(APIError.internal)
    }
  }

  private func reply(to request: Request) async throws -> Response {
    var path = request.uri.path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    switch (path, request.method) {
    case ("/health", .get):
      return Self.response(.ok, .members([("status", .string("ok"))]))
    case ("/v1/models", .get):
      return Self.response(
        .ok, .members([("object", .string("list")), ("data", .array([description]))]))
    case ("/v1/models/" + model.name, .get):
      return Self.response(.ok, description)
    case ("/v1/completions", .post):
      return try await responses(to: request) { body throws(APIError) in
        try ResponseRequest(completion: body, model)
      }
    case ("/v1/chat/completions", .post):
      return try await responses(to: request) { body throws(APIError) in
        try ResponseRequest(chat: body, model)
      }
    default: throw Self.unknown(path, request.method, model)
    }
  }

  private var description: JSONValue {
    .members([
      ("id", .string(model.name)), ("object", .string("model")), ("created", .integer(started)),
      ("owned_by", .string("keystep")), ("max_model_len", .integer(model.context)),
    ])
  }

  private static func unknown(_ path: String, _ method: HTTPRequest.Method, _ model: ServedModel)
    -> APIError
  {
    let methods = [
      "/health": "GET", "/v1/models": "GET", "/v1/models/" + model.name: "GET",
      "/v1/completions": "POST", "/v1/chat/completions": "POST",
    ]
    guard let allowed = methods[path] else {
      if path.hasPrefix("/v1/models/") {
        return APIError(
          "The model \"\(path.dropFirst("/v1/models/".count))\" does not exist. This server has "
            + "\"\(model.name)\".", param: "model", code: "model_not_found", status: .notFound)
      }
      return APIError(
        "There is no \(path) here, but " + methods.keys.sorted().joined(separator: ", ") + ".",
        status: .notFound)
    }
    var error = APIError(
      "\(path) takes \(allowed), not \(method.rawValue).", status: .methodNotAllowed)
    error.allowedMethods = [allowed]
    return error
  }

  // MARK: Responses

  private func responses(
    to request: Request, _ read: ([UInt8]) throws(APIError) -> ResponseRequest
  ) async throws -> Response {
    if engine.waitingCount > Self.mostWaiting {
      var error = APIError("Too many sequences wait. Try again later.", status: .serviceUnavailable)
      error.type = "server_error"
      throw error
    }
    var request = request
    let body = try await request.collectBody(upTo: Self.longestBody)
    let asked = try read(Array(body.readableBytesView))
    if asked.settings.isStreamed { return stream(asked, request.body) }
    let whole = try await request.body.consumeWithCancellationOnInboundClose { _ in
      var reply = Reply(asked, model)
      try await asked.run(model, engine) { reply.add($0) }
      return reply.whole()
    }
    return Self.response(.ok, whole, closes: true)
  }

  /// Server-sent events, each a chunk of the reply.
  private func stream(_ asked: ResponseRequest, _ body: RequestBody) -> Response {
    let content = ResponseBody { writer in
      var output = writer
      try await body.consumeWithCancellationOnInboundClose { _ in
        var reply = Reply(asked, model)
        func send(_ chunk: String) async throws {
          try await output.write(ByteBuffer(string: "data: \(chunk)\n\n"))
        }
        try await asked.run(model, engine) { part in
          for chunk in reply.chunks(part) { try await send(chunk.text()) }
        }
        if let usage = reply.usageChunk() { try await send(usage.text()) }
        try await send("[DONE]")
      }
      try await writer.finish(nil)
    }
    return Response(
      status: .ok,
      headers: [
        .contentType: "text/event-stream", .cacheControl: "no-cache", .connection: "close",
      ], body: content)
  }

  private static func response(_ error: APIError) -> Response {
    var response = response(error.status, error.json)
    if !error.allowedMethods.isEmpty {
      response.headers[.allow] = error.allowedMethods.joined(separator: ", ")
    }
    return response
  }

  /// - Parameter closes: Whether the connection ends with it, as it does where the server has watched it for its end.
  private static func response(
    _ status: HTTPResponse.Status, _ json: JSONValue, closes: Bool = false
  ) -> Response {
    var headers: HTTPFields = [.contentType: "application/json"]
    if closes { headers[.connection] = "close" }
    return Response(
      status: status, headers: headers,
      body: ResponseBody(byteBuffer: ByteBuffer(string: json.text())))
  }
}
