import ArgumentParser
import Distillation
import KeySteps
import Parameters

/// Flags that are declared as parameters in the objective registry, not here.
struct ParameterOptions: ParsableArguments {
  @Argument(parsing: .allUnrecognized, help: .hidden)
  var arguments: [String] = []

  /// The values that they give to `parameters`, which are those of `owner`; `command` has the other
  /// flags that may be meant.
  ///
  /// Throws a `UsageError` with all that is wrong with them.
  func values(of parameters: [Parameter], owner: String, command: any ParsableCommand.Type)
    throws(UsageError) -> ParameterValues
  {
    try ParameterValues(
      reading: arguments, of: parameters, owner: owner, others: Self.registered,
      flags: command.helpMessage().matches(of: /--[a-z-]+/).map { String($0.output) })
  }

  /// The flags of all objectives.
  private static let registered = ObjectiveEntry.all.flatMap(\.parameters).map(\.flag)
}

extension ParsableCommand {
  /// Throws all of `problems` and those of `check` as one error.
  func report(_ problems: [String], and check: () throws(UsageError) -> Void = {}) throws {
    var problems = problems
    do { try check() } catch { problems += error.problems }
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "\n")) }
  }
}

/// Which tokens of a pair are key tokens.
struct KeyTokenOptions: ParsableArguments {
  @OptionGroup var parameters: ParameterOptions

  /// The flags, for the discussion of a command that has them.
  static let help = "Key tokens:\n\([Parameter].keyTokens.help)"

  /// Precondition: they are valid.
  var choice: KeyTokenChoice {
    KeyTokenChoice((try? values()) ?? ParameterValues(.keyTokens))
  }

  func validate() throws {
    do { _ = try values() } catch { throw ValidationError(error.description) }
  }

  private func values() throws(UsageError) -> ParameterValues {
    try parameters.values(
      of: .keyTokens, owner: "evaluate", command: EvaluateCommand.self)
  }
}
