import Files
import Foundation
import Reasoning

/// The key to an endpoint, which shows itself to nobody else: printed, dumped or put into a string
/// it reads "[redacted]".
public struct APIKey: Sendable, CustomStringConvertible, CustomReflectable {
  private let text: String

  /// Precondition: `text` holds visible ASCII characters only, and at least one.
  public init(_ text: String) {
    precondition(Self.isValid(text), "an API key of visible ASCII characters")
    self.text = text
  }

  /// The key in the environment variable `name`; nil where it is unset or blank.
  ///
  /// Throws a `FileError` that names the variable where its value can be no key.
  public static func fromEnvironment(
    _ name: String = "OPENAI_API_KEY",
    in environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> APIKey? {
    let text = (environment[name] ?? "").trimmingCharacters(in: .whitespacesAndNewlines)
    if text.isEmpty { return nil }
    guard isValid(text) else {
      throw FileError(
        file: "the environment variable \(name)", location: nil,
        expected: "a key of visible ASCII characters", found: "others in it")
    }
    return APIKey(text)
  }

  public var description: String { "[redacted]" }
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// The value of the header `Authorization`.
  package var authorization: String { "Bearer \(text)" }

  /// `message` without the key: every run of six of its characters or more is cut out, since who echoes a key may cut
  /// it. A run that is escaped or in Base64 counts too; see `EncodedText`.
  package func redacted(from message: String) -> String { redacted(from: message, shortest: 6) }

  private func redacted(from message: String, shortest: Int) -> String {
    let message = Array(message.utf8)
    let ranges = EncodedText(message).ranges(ofRunsIn: Array(text.utf8), shortest: shortest)
    var result: [UInt8] = []
    var place = 0
    for range in ranges {
      result += message[place..<range.lowerBound] + Array("[redacted]".utf8)
      place = range.upperBound
    }
    return String(decoding: result + message[place...], as: UTF8.self)
  }

  /// A teacher's text without the key, should an endpoint put it there: every run of 16 of its characters or more is cut
  /// out. Keys of fewer characters, which local servers are given, may be words of the text and stay.
  package func redacted(fromText content: String) -> String {
    text.utf8.count < 16 ? content : redacted(from: content, shortest: 16)
  }

  /// What in the query of a base URL may be a key: its values of 16 characters or more.
  static func keys(inQuery query: [URLQueryItem]) -> [APIKey] {
    query.compactMap(\.value).filter { $0.utf8.count >= 16 && isValid($0) }.map { APIKey($0) }
  }

  private static func isValid(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7e).contains($0) }
  }
}
