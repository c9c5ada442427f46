/// The values of some parameters: those that were given, and the defaults of the others.
public struct ParameterValues: Sendable, Hashable {
  /// By the parameters' names.
  public let values: [String: Parameter.Value]

  /// `given` by name; names of no parameter are ignored. Precondition: values are in their ranges.
  public init(_ parameters: [Parameter], given: [String: Parameter.Value] = [:]) {
    values = Dictionary(
      parameters.map { parameter in
        let value = given[parameter.name] ?? parameter.default
        precondition(
          parameter.kind.value(value.description[...]) != nil,
          "\(parameter.name) is \(value), expected \(parameter.kind.allowed)")
        return (parameter.name, value)
      }, uniquingKeysWith: { first, _ in first })
  }

  /// The values that the flags `arguments` give to `parameters`.
  ///
  /// Throws a `UsageError` with all that is wrong: a value out of its range, a flag without a value,
  /// and a flag that is none of these. Of one that is among `others`, the error says which parameters
  /// `owner` (`krsl`) has; of any other, which of these and of `flags`, the command's own, is meant.
  public init(
    reading arguments: [String], of parameters: [Parameter], owner: String,
    others: [String] = [], flags: [String] = []
  ) throws(UsageError) {
    let own = parameters.map(\.flag)
    let isSwitch: (Parameter) -> Bool = { $0.kind == .flag }
    let read = FlagArguments(
      arguments, flags: parameters.filter { !isSwitch($0) }.map(\.flag),
      optional: parameters.filter(isSwitch).map(\.flag)
    ) { argument in
      let has = own.isEmpty ? "no parameters" : own.joined(separator: ", ")
      let flag = String(argument.prefix { $0 != "=" })
      if others.contains(flag) { return "\(flag): \(owner) does not have it; it has \(has)" }
      guard flag.hasPrefix("-"), let near = FlagArguments.nearest(to: flag, of: own + flags) else {
        return "\(argument): expected a flag; \(owner) has \(has)"
      }
      return "\(flag): no such flag; did you mean \(near)? \(owner) has \(has)"
    }
    var problems = read.problems
    var given: [String: Parameter.Value] = [:]
    for parameter in parameters {
      guard let text = read.values[parameter.flag] else { continue }
      if let value = parameter.kind.value(text[...]) {
        given[parameter.name] = value
      } else {
        problems.append("\(parameter.flag): expected \(parameter.kind.allowed), found \"\(text)\"")
      }
    }
    if !problems.isEmpty { throw UsageError(problems: problems) }
    self.init(parameters, given: given)
  }

  /// Precondition: the parameter is one of these, and a number.
  public func number(_ parameter: Parameter) -> Double {
    switch values[parameter.name] {
    case .number(let value): value
    case .integer(let value): Double(value)
    default: preconditionFailure("\(parameter.name) is no number of these parameters")
    }
  }

  /// Precondition: the parameter is one of these, and a number.
  public func float(_ parameter: Parameter) -> Float { Float(number(parameter)) }

  /// Precondition: the parameter is one of these, and a choice, a text or a flag.
  public func text(_ parameter: Parameter) -> String {
    guard case .text(let value) = values[parameter.name] else {
      preconditionFailure("\(parameter.name) is no text of these parameters")
    }
    return value
  }

  /// Precondition: the parameter is one of these, and a flag.
  public func isOn(_ parameter: Parameter) -> Bool { text(parameter) == "true" }

  /// Whether the parameter is one of these.
  public func has(_ parameter: Parameter) -> Bool { values[parameter.name] != nil }
}

extension [Parameter] {
  /// A line for each, as `--help` shows it: flag, help, range and default.
  public var help: String {
    let width = map(\.flag.count).max() ?? 0
    return map { parameter in
      let space = String(repeating: " ", count: width - parameter.flag.count)
      return "  \(parameter.flag)\(space)  \(parameter.help) (\(parameter.kind.allowed); "
        + "\(parameter.default))"
    }.joined(separator: "\n")
  }
}
