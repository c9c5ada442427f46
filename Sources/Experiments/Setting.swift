import Files
import Foundation
import Parameters

/// The value of one setting of a run.
public typealias SettingValue = Parameter.Value

extension Parameter.Value {
  package var json: JSONValue {
    switch self {
    case .integer(let value): .integer(value)
    case .number(let value): .number(value)
    case .text(let value): .string(value)
    }
  }

  /// The last part of a path, as records and CSVs have it.
  var fileName: String { URL(fileURLWithPath: description).lastPathComponent }

  /// The names that the text of a value of `Kind.names` joins.
  package var names: [String] { description.split(separator: "+").map(String.init) }

  /// Throws an error that names the place where `node` is neither a number nor a string.
  init(_ node: JSONNode) throws(FileError) {
    switch node.value {
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .number(value)
    case .string(let value): self = .text(value)
    default: throw node.error(expected: "a number or a string")
    }
  }
}

/// Whether something of an experiment's declaration applies to a call.
///
/// An experiment may have a variant, which one of its flags selects: with `--model`, a pretrained
/// student in place of one that is trained from scratch.
public enum Condition: Sendable {
  case always, never, inVariant, outsideVariant

  func applies(inVariant isVariant: Bool) -> Bool {
    switch self {
    case .always: true
    case .never: false
    case .inVariant: isVariant
    case .outsideVariant: !isVariant
    }
  }
}

/// A setting that an experiment declares: a flag, a column of its CSV, and if it takes several
/// values an axis of its grid.
public struct Setting: Sendable {
  public typealias Kind = Parameter.Kind

  /// Its column's name, such as `learning_rate`; the flag is `--learning-rate`.
  public let name: String
  public let kind: Kind
  /// Its values without a flag; more than one value makes it an axis, none leaves it out.
  public let values: [SettingValue]
  /// Its values with `--smoke`; nil for the same.
  public let smoke: [SettingValue]?
  /// Its values in the experiment's variant; nil for the same.
  public let variant: [SettingValue]?
  /// When there is such a setting.
  public let availability: Condition
  /// Whether runs may differ in it. What all runs share, such as the data, depends on settings that
  /// may not.
  public let isAxis: Bool
  public let help: String

  public init(
    _ name: String, _ kind: Kind, _ values: [SettingValue], smoke: [SettingValue]? = nil,
    variant: [SettingValue]? = nil, availability: Condition = .always, isAxis: Bool = true,
    help: String
  ) {
    self.name = name
    self.kind = kind
    self.values = values
    self.smoke = smoke
    self.variant = variant
    self.availability = availability
    self.isAxis = isAxis
    self.help = help
  }

  var isFile: Bool { if case .file = kind { true } else { false } }

  var flag: String { "--" + name.replacing("_", with: "-") }

  /// The setting as it is in the experiment's variant, or outside it.
  func resolved(inVariant isVariant: Bool) -> Setting {
    Setting(
      name, kind, isVariant ? variant ?? values : values, smoke: smoke, isAxis: isAxis, help: help)
  }
}

extension Setting {
  /// A parameter as a setting: an axis whose value is the parameter's default where `values` are left
  /// out.
  public init(
    _ parameter: Parameter, _ values: [SettingValue]? = nil, smoke: [SettingValue]? = nil,
    variant: [SettingValue]? = nil
  ) {
    self.init(
      parameter.name, parameter.kind, values ?? [parameter.default], smoke: smoke,
      variant: variant, help: parameter.help)
  }
}

extension [Setting] {
  /// The same with other values for the setting called `name`: in the experiment's variant `variant`
  /// if it is given, and with `--smoke` `smoke` if that is given. Precondition: there is one.
  public func with(
    _ name: String, _ values: [SettingValue], smoke: [SettingValue]? = nil,
    variant: [SettingValue]? = nil
  ) -> [Setting] {
    precondition(contains { $0.name == name }, "no setting is called \(name)")
    return map { setting in
      guard setting.name == name else { return setting }
      return Setting(
        name, setting.kind, values, smoke: smoke ?? setting.smoke, variant: variant,
        availability: setting.availability, isAxis: setting.isAxis, help: setting.help)
    }
  }
}

/// The resolved settings of one run, or those that a part of it declares to read.
public struct RunSettings: Sendable, Hashable {
  /// Only those that may be read.
  public private(set) var values: [String: SettingValue]
  /// The names of the settings that may be read; nil for all.
  private var readable: Set<String>?

  public init(_ values: [String: SettingValue]) { self.values = values }

  /// The same settings, of which only `names` may be read: reading another one is a precondition
  /// failure. A part of a run whose result is shared thereby cannot depend on more than it declares.
  public func limited(to names: Set<String>) -> RunSettings {
    var limited = self
    limited.readable = readable.map { $0.intersection(names) } ?? names
    limited.values = values.filter { names.contains($0.key) }
    return limited
  }

  /// The value of a setting; nil if the run does not have it. Precondition: it may be read.
  public subscript(name: String) -> SettingValue? {
    precondition(
      readable?.contains(name) != false,
      "\(name) is read but not declared; declared are \((readable ?? []).sorted())")
    return values[name]
  }

  /// The number of a setting. Precondition: the experiment declares it for this run's arm, as a
  /// number.
  public func number(_ name: String) -> Double {
    switch self[name] {
    case .number(let value): value
    case .integer(let value): Double(value)
    default: preconditionFailure("no number is declared as \(name)")
    }
  }

  /// The whole number of a setting. Precondition: it is declared for this run's arm, as one.
  public func integer(_ name: String) -> Int {
    guard case .integer(let value) = self[name] else {
      preconditionFailure("no whole number is declared as \(name)")
    }
    return value
  }

  /// The text of a setting. Precondition: it is declared for this run's arm, as a text or a choice.
  public func text(_ name: String) -> String {
    guard case .text(let value) = self[name] else {
      preconditionFailure("no text is declared as \(name)")
    }
    return value
  }

  /// The names of a setting, whose text joins them by `+`. Precondition: it is declared for this
  /// run's arm, as names.
  public func names(_ name: String) -> [String] { SettingValue.text(text(name)).names }

  public var arm: String { text("arm") }
  public var seed: UInt64 { UInt64(integer("seed")) }
}
