/// A JSON value (RFC 8259).
///
/// The members of an object keep their order, and keys keep their Unicode scalars. Foundation's
/// dictionaries compare keys by canonical equivalence, which would merge the vocabulary entries "é"
/// (one scalar) and "é" (two).
public enum JSONValue: Sendable, Hashable {
  case null
  case bool(Bool)
  /// A number without fraction or exponent that fits an `Int`.
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([JSONMember])

  /// Reads `bytes`, a whole JSON text in UTF-8.
  ///
  /// Nesting is limited to `maximumDepth` levels. Throws an error that names `file`, and the byte
  /// offset after `location`.
  public init(
    _ bytes: some Collection<UInt8>, file: String, location: String? = nil
  ) throws(FileError) {
    var reader = JSONReader(bytes: Array(bytes), file: file, location: location)
    self = try reader.wholeText()
  }

  /// The deepest nesting of arrays and objects that is read.
  public static let maximumDepth = 64

  /// An object of these members, in the order of their keys.
  public static func object(_ members: [String: JSONValue]) -> JSONValue {
    .object(members.sorted { $0.key < $1.key }.map { JSONMember(key: $0.key, value: $0.value) })
  }
}

/// One member of a JSON object.
public struct JSONMember: Sendable, Hashable {
  public var key: String
  public var value: JSONValue

  public init(key: String, value: JSONValue) {
    self.key = key
    self.value = value
  }

  // Keys with the same scalars only; `String` would compare them by canonical equivalence.
  public static func == (a: JSONMember, b: JSONMember) -> Bool {
    a.key.unicodeScalars.elementsEqual(b.key.unicodeScalars) && a.value == b.value
  }
}

// MARK: Text

extension JSONValue: CustomStringConvertible {
  /// The start of the value's JSON text, for messages.
  public var description: String {
    switch self {
    case .array(let values): return "an array of \(values.count)"
    case .object(let members): return "an object of \(members.count)"
    default:
      let text = self.text()
      return text.count > 80 ? text.prefix(80) + "…" : text
    }
  }

  /// The value as JSON text, with two spaces of indentation per level where `isIndented`.
  ///
  /// A number that is not finite has no JSON form and is written as null.
  public func text(isIndented: Bool = false) -> String {
    var output = ""
    write(to: &output, isIndented: isIndented, depth: 0)
    return output
  }

  private func write(to output: inout String, isIndented: Bool, depth: Int) {
    func line(_ depth: Int) -> String {
      isIndented ? "\n" + String(repeating: "  ", count: depth) : ""
    }
    switch self {
    case .null: output += "null"
    case .bool(let value): output += value ? "true" : "false"
    case .integer(let value): output += "\(value)"
    case .number(let value): output += value.isFinite ? "\(value)" : "null"
    case .string(let value): Self.quote(value, to: &output)
    case .array(let values):
      output += "["
      for (index, value) in values.enumerated() {
        output += (index > 0 ? "," : "") + line(depth + 1)
        value.write(to: &output, isIndented: isIndented, depth: depth + 1)
      }
      output += (values.isEmpty ? "" : line(depth)) + "]"
    case .object(let members):
      output += "{"
      for (index, member) in members.enumerated() {
        output += (index > 0 ? "," : "") + line(depth + 1)
        Self.quote(member.key, to: &output)
        output += isIndented ? ": " : ":"
        member.value.write(to: &output, isIndented: isIndented, depth: depth + 1)
      }
      output += (members.isEmpty ? "" : line(depth)) + "}"
    }
  }

  private static func quote(_ text: String, to output: inout String) {
    output += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\t": output += "\\t"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
