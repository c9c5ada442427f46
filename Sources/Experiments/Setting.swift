import Parameters

/// The value of one setting of a run.
public typealias SettingValue = Parameter.Value

/// A setting that an experiment declares: a flag, a column of its CSV, and where it takes several
/// values an axis of its grid.
public struct Setting: Sendable {
  public typealias Kind = Parameter.Kind

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
}

extension Setting {
  /// A parameter as a setting: an axis whose value is the parameter's default where `values` are left
  /// out.
  public init(
    _ parameter: Parameter, _ values: [SettingValue]? = nil, smoke: [SettingValue]? = nil
  ) {
    self.init(
      parameter.name, parameter.kind, values ?? [parameter.default], smoke: smoke,
      help: parameter.help)
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
