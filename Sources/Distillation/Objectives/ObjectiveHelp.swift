import Parameters

extension ObjectiveEntry {
  /// The objectives by stage and data, each with its flags, and the parameters that those set, as
  /// `keystep train --help` shows them.
  public static var help: String {
    let lists = groups.map { title, entries in
      let lines = entries.flatMap { entry in
        let flags = entry.parameters.map(\.flag).joined(separator: ", ")
        return ["  \(entry.name): \(entry.help)"] + (flags.isEmpty ? [] : ["    \(flags)"])
      }
      return ([title.replacing("`", with: "")] + lines).joined(separator: "\n")
    }
    let rows = parameters.map { parameter in
      "  \(parameter.flag): \(parameter.help) (\(parameter.kind.allowed); \(standard(parameter)))"
    }
    return (lists + [(["Parameters"] + rows).joined(separator: "\n")]).joined(separator: "\n\n")
  }

  /// The same as Markdown: what `docs/objectives.md` holds.
  public static var markdown: String {
    let tables = groups.map { title, entries in
      table(
        title, ["`--objective`", "", "compares with", "parameters"],
        entries.map { entry in
          [
            "`\(entry.name)`", entry.help,
            entry.references.map { "`\($0.flag)`" }.joined(separator: ", "),
            entry.parameters.map { parameter in
              let own = defaults(of: parameter).count > 1 ? " (\(parameter.default))" : ""
              return "`\(parameter.flag)`\(own)"
            }.joined(separator: ", "),
          ]
        })
    }
    let last = table(
      "Parameters", ["flag", "setting", "", "values", "default"],
      parameters.map { parameter in
        [
          "`\(parameter.flag)`", "`\(parameter.name)`", parameter.help, parameter.kind.allowed,
          standard(parameter),
        ]
      })
    return (tables + [last]).joined(separator: "\n\n") + "\n"
  }

  private static func table(_ title: String, _ header: [String], _ rows: [[String]]) -> String {
    let lines = ([header, header.map { _ in "---" }] + rows).map { cells in
      "| " + cells.joined(separator: " | ") + " |"
    }
    return (["### \(title)", ""] + lines).joined(separator: "\n")
  }

  /// Every parameter of some objective, once.
  private static var parameters: [Parameter] {
    var names: Set<String> = []
    return all.flatMap(\.parameters).filter { names.insert($0.name).inserted }
  }

  /// A parameter's default, in words where it differs between objectives.
  private static func standard(_ parameter: Parameter) -> String {
    let defaults = defaults(of: parameter)
    guard defaults.count > 1 else { return "\(parameter.default)" }
    let own = all.flatMap { entry in
      entry.parameters.filter { $0.name == parameter.name }.map { (entry.name, $0.default) }
    }
    return defaults.map { value in
      "\(value) in \(own.filter { $0.1 == value }.map(\.0).joined(separator: ", "))"
    }.sorted().joined(separator: "; ")
  }

  /// The defaults that a parameter has in different objectives.
  private static func defaults(of parameter: Parameter) -> Set<Parameter.Value> {
    Set(all.flatMap(\.parameters).filter { $0.name == parameter.name }.map(\.default))
  }

  private static var groups: [(title: String, entries: [ObjectiveEntry])] {
    let kinds: [(title: String, stage: Stage, data: Data)] = [
      ("Stage 1, on chains (`--chains`, or the chosen side of `--pairs`)", .first, .chains),
      ("Stage 1, on `--pairs`", .first, .pairs),
      ("Stage 2, on chains", .second, .chains),
      ("Stage 2, on `--pairs`", .second, .pairs),
    ]
    return kinds.map { kind in
      (kind.title, all.filter { $0.stage == kind.stage && $0.data == kind.data })
    }
  }
}
