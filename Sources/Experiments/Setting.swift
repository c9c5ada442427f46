/// The value of one setting of a run.
public enum SettingValue: Sendable, Hashable, Codable, CustomStringConvertible {
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

/// A setting that an experiment declares: a flag, a column of its CSV, and where it takes several
/// values an axis of its grid.
public struct Setting: Sendable {
  /// What its values may be.
  public enum Kind: Sendable {
    case integer(ClosedRange<Int>)
    case number(ClosedRange<Double>)
    case choice([String])
    case text
    /// A path. Its content's checksum is what counts: the path is no part of a run's identity, and
    /// the CSV shows the file's name alone.
    case file
  }

  /// Its column's name, such as `learning_rate`; the flag is `--learning-rate`.
  public let name: String
  public let kind: Kind
  /// What it takes where no flag is given; more than one value makes it an axis.
  public let values: [SettingValue]
  /// What it takes with `--smoke`; nil for the same.
  public let smoke: [SettingValue]?
  /// Whether runs may differ in it. What all runs share, such as the data, is made of settings that
  /// may not.
  public let isAxis: Bool
  public let help: String

  public init(
    _ name: String, _ kind: Kind, _ values: [SettingValue], smoke: [SettingValue]? = nil,
    isAxis: Bool = true, help: String
  ) {
    self.name = name
    self.kind = kind
    self.values = values
    self.smoke = smoke
    self.isAxis = isAxis
    self.help = help
  }

  var isFile: Bool { if case .file = kind { true } else { false } }

  var flag: String { "--" + name.replacing("_", with: "-") }

  /// What a value may be, in words.
  var allowed: String {
    switch kind {
    case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
    case .number(let range): "a number from \(range.lowerBound) to \(range.upperBound)"
    case .choice(let names): "one of \(names.joined(separator: ", "))"
    case .text: "a text"
    case .file: "a path"
    }
  }

  /// The value that `text` spells; nil where it is none of those allowed.
  func value(_ text: Substring) -> SettingValue? {
    switch kind {
    case .integer(let range):
      Int(text).flatMap { range.contains($0) ? .integer($0) : nil }
    case .number(let range):
      Double(text).flatMap { range.contains($0) ? .number($0) : nil }
    case .choice(let names): names.contains(String(text)) ? .text(String(text)) : nil
    case .text, .file: text.isEmpty ? nil : .text(String(text))
    }
  }
}

extension [Setting] {
  /// The same with other values for the setting called `name`, and where they are given with others
  /// for `--smoke`. Precondition: there is one.
  public func with(_ name: String, _ values: [SettingValue], smoke: [SettingValue]? = nil)
    -> [Setting]
  {
    precondition(contains { $0.name == name }, "no setting is called \(name)")
    return map { setting in
      guard setting.name == name else { return setting }
      return Setting(
        name, setting.kind, values, smoke: smoke ?? setting.smoke, isAxis: setting.isAxis,
        help: setting.help)
    }
  }
}

/// The resolved settings of one run.
public struct RunSettings: Sendable, Hashable {
  public var values: [String: SettingValue]

  public init(_ values: [String: SettingValue]) { self.values = values }

  /// One line a setting, by name: what a run's identity is the hash of.
  public var canonicalText: String {
    values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }.joined()
  }

  /// The number of a setting. Precondition: the experiment declares it for this run's arm, as a
  /// number.
  public func number(_ name: String) -> Double {
    switch values[name] {
    case .number(let value): value
    case .integer(let value): Double(value)
    default: preconditionFailure("no number is declared as \(name)")
    }
  }

  /// The whole number of a setting. Precondition: it is declared for this run's arm, as one.
  public func integer(_ name: String) -> Int {
    guard case .integer(let value) = values[name] else {
      preconditionFailure("no whole number is declared as \(name)")
    }
    return value
  }

  /// The text of a setting. Precondition: it is declared for this run's arm, as a text or a choice.
  public func text(_ name: String) -> String {
    guard case .text(let value) = values[name] else {
      preconditionFailure("no text is declared as \(name)")
    }
    return value
  }

  public var arm: String { text("arm") }
  public var seed: UInt64 { UInt64(integer("seed")) }
}
