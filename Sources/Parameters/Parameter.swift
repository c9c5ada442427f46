/// A named, typed setting: its range, its default and its help, declared once.
///
/// Command-line flags, experiment settings, help texts and tables of the documentation are made from it.
public struct Parameter: Sendable, Hashable {
  /// Its column in a CSV, such as `preference_beta`.
  public let name: String
  public let kind: Kind
  public let `default`: Value
  /// One line, without its range and its default.
  public let help: String

  /// Precondition: the default is in the range of `kind`.
  public init(_ name: String, _ kind: Kind, default: Value, help: String) {
    precondition(kind.value(`default`.description[...]) != nil, "\(name) cannot be \(`default`)")
    self.name = name
    self.kind = kind
    self.default = `default`
    self.help = help
  }

  /// The same parameter with another default.
  public func with(default value: Value) -> Parameter {
    Parameter(name, kind, default: value, help: help)
  }

  /// `--preference-beta`.
  public var flag: String { "--" + name.replacing("_", with: "-") }

  /// The value of one parameter.
  public enum Value: Sendable, Hashable, Codable, CustomStringConvertible {
    case integer(Int)
    case number(Double)
    case text(String)

    /// The value as a flag takes it and a table shows it; numbers in the fewest digits that give them
    /// back.
    public var description: String {
      switch self {
      case .integer(let value): "\(value)"
      case .number(let value):
        value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
      case .text(let value): value
      }
    }

    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let value = try? container.decode(Int.self) {
        self = .integer(value)
      } else if let value = try? container.decode(Double.self) {
        self = .number(value)
      } else {
        self = .text(try container.decode(String.self))
      }
    }

    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .integer(let value): try container.encode(value)
      case .number(let value): try container.encode(value)
      case .text(let value): try container.encode(value)
      }
    }
  }

  /// What the values of a parameter may be.
  public enum Kind: Sendable, Hashable {
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case choice([String])
    /// Some of these names, joined by `+`; a value has them in this order, each once.
    case names([String])
    /// `true` or `false`; its flag alone means `true`.
    case flag
    case text
    /// A path. Its content's checksum is what counts: the path is no part of a run's identity, and
    /// a CSV shows the file's name alone.
    case file

    /// What a value may be, in words.
    public var allowed: String {
      switch self {
      case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
      case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
      case .choice(let names): "one of \(names.joined(separator: ", "))"
      case .names(let names): "some of \(names.joined(separator: ", ")), joined by +"
      case .flag: "true or false"
      case .text: "a text"
      case .file: "a path"
      }
    }

    /// The value that `text` spells; nil where it is none of those allowed.
    public func value(_ text: Substring) -> Value? {
      switch self {
      case .integer(let range):
        Int(text).flatMap { range.contains($0) ? .integer($0) : nil }
      case .number(let range):
        Double(text).flatMap { range.contains($0) ? .number($0) : nil }
      case .choice(let names): names.contains(String(text)) ? .text(String(text)) : nil
      case .names(let names): Self.names(text, of: names)
      case .flag: text == "true" || text == "false" ? .text(String(text)) : nil
      case .text, .file: text.isEmpty ? nil : .text(String(text))
      }
    }

    private static func names(_ text: Substring, of all: [String]) -> Value? {
      let given = Set(text.split(separator: "+", omittingEmptySubsequences: false).map(String.init))
      guard given.isSubset(of: all) else { return nil }
      return .text(all.filter(given.contains).joined(separator: "+"))
    }
  }
}
