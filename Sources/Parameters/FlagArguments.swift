/// The flags of a command line whose declaration is a list of parameters, which `swift-argument-parser`,
/// whose flags are properties known at compile time, cannot express.
///
/// A flag takes its value as `--flag value` or `--flag=value`; a switch takes none. Where a flag is given
/// twice, the last counts.
public struct FlagArguments: Sendable {
  /// The text after each flag.
  public private(set) var values: [String: String] = [:]
  public private(set) var switches: Set<String> = []
  /// Everything that is wrong with the arguments, one line each.
  public private(set) var problems: [String] = []

  /// Reads `arguments`. `flags` take a value, `optional` ones are `true` without one, `switches` take
  /// none; of any other argument `unknown` says what is wrong.
  public init(
    _ arguments: [String], flags: [String], optional: [String] = [], switches known: [String] = [],
    unknown: (String) -> String
  ) {
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let flag = parts.first.map(String.init) ?? ""
      if known.contains(flag) {
        switches.insert(flag)
        if parts.count == 2 {
          problems.append("\(flag): expected no value, found \"\(parts[1])\"")
        }
      } else if parts.count == 2, flags.contains(flag) || optional.contains(flag) {
        values[flag] = String(parts[1])
      } else if optional.contains(flag) {
        values[flag] = "true"
      } else if flags.contains(flag) {
        if let value = rest.first, !value.hasPrefix("--") {
          values[flag] = rest.removeFirst()
        } else {
          problems.append("\(flag): expected a value, found none")
        }
      } else {
        problems.append(unknown(argument))
        // The value of a mistyped flag is not a second mistake.
        if flag.hasPrefix("-"), parts.count == 1, let next = rest.first, !next.hasPrefix("--") {
          rest.removeFirst()
        }
      }
    }
  }

  /// The one of `flags` that `argument` is most likely a misspelling of: the least edits, the first of
  /// equals. Nil where there is none.
  public static func nearest(to argument: String, of flags: [String]) -> String? {
    let flag = argument.prefix { $0 != "=" }
    return flags.map { ($0, distance(String(flag), $0)) }.min { $0.1 < $1.1 }?.0
  }

  /// The Levenshtein distance.
  private static func distance(_ a: String, _ b: String) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        (diagonal, row[j + 1]) = (
          row[j + 1], min(diagonal + (x == y ? 0 : 1), row[j] + 1, row[j + 1] + 1)
        )
      }
    }
    return row[b.count]
  }
}

/// Everything that is wrong with a call.
public struct UsageError: Error, CustomStringConvertible {
  public var problems: [String]
  public var description: String { problems.joined(separator: "\n") }

  public init(problems: [String]) { self.problems = problems }
}
