import Files
import Hummingbird

/// Why a request is refused, in the form of OpenAI's errors: `{"error": {"message", "type", "param", "code"}}`.
package struct APIError: Error {
  var status: HTTPResponse.Status = .badRequest
  var message: String
  var type = "invalid_request_error"
  /// The field of the request that it is about.
  var param: String?
  var code: String?
  /// The methods that the path has, where the request's is not among them.
  var allowedMethods: [String] = []

  init(
    _ message: String, param: String? = nil, code: String? = nil,
    status: HTTPResponse.Status = .badRequest
  ) {
    (self.message, self.param, self.code, self.status) = (message, param, code, status)
  }

  /// What is wrong with a request's body: the location is the path of keys in it, or a byte of what is no JSON.
  init(_ error: FileError) {
    self.init(
      "\(error.location ?? error.file): expected \(error.expected), found \(error.found)",
      param: error.location.flatMap { place in
        place.hasPrefix("byte ") ? nil : String(place.prefix { $0 != "." && $0 != "[" })
      })
  }

  static let `internal`: APIError = {
    var error = APIError("The server failed on this request.", status: .internalServerError)
    error.type = "server_error"
    return error
  }()

  var json: JSONValue {
    func string(_ text: String?) -> JSONValue { text.map(JSONValue.string) ?? .null }
    return .members([
      (
        "error",
        .members([
          ("message", .string(message)), ("type", .string(type)), ("param", string(param)),
          ("code", string(code)),
        ])
      )
    ])
  }
}

extension JSONValue {
  /// An object with these members in this order.
  static func members(_ members: [(String, JSONValue)]) -> JSONValue {
    .object(members.map { JSONMember(key: $0.0, value: $0.1) })
  }

  static func float(_ value: Float) -> JSONValue { .number(Double(value)) }
}
