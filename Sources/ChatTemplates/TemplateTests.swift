import Files

/// The tests of chat templates, which follow `is`.
enum TemplateTest: Sendable {
  case boolean, callable, defined, divisible, even, filter, float, integer, isFalse, isIn, isNone,
    isTrue
  case iterable, lower, mapping, number, odd, same, sequence, string, test, undefined, upper
  case compare(TemplateExpression.Comparison)
  /// One that is not here, in a branch that need not be taken.
  case unknown(String)

  init?(named name: String) {
    guard let test = Self.byName[name] else { return nil }
    self = test
  }

  private static let byName: [String: TemplateTest] = [
    "boolean": .boolean, "callable": .callable, "defined": .defined, "divisibleby": .divisible,
    "even": .even,
    "filter": .filter, "float": .float, "integer": .integer, "false": .isFalse, "in": .isIn,
    "none": .isNone,
    "true": .isTrue, "iterable": .iterable, "lower": .lower, "mapping": .mapping, "number": .number,
    "odd": .odd,
    "sameas": .same, "sequence": .sequence, "string": .string, "test": .test,
    "undefined": .undefined,
    "upper": .upper,
    "eq": .compare(.equal), "equalto": .compare(.equal), "ne": .compare(.notEqual),
    "lt": .compare(.less),
    "lessthan": .compare(.less), "le": .compare(.lessOrEqual), "gt": .compare(.greater),
    "greaterthan": .compare(.greater), "ge": .compare(.greaterOrEqual), "==": .compare(.equal),
    "!=": .compare(.notEqual), "<": .compare(.less), "<=": .compare(.lessOrEqual),
    ">": .compare(.greater),
    ">=": .compare(.greaterOrEqual),
  ]

  /// How messages name it.
  var name: String {
    switch self {
    case .compare: "a comparison"
    case .isFalse: "false"
    case .isIn: "in"
    case .isNone: "none"
    case .isTrue: "true"
    case .divisible: "divisibleby"
    case .same: "sameas"
    case .unknown(let name): name
    default: "\(self)"
    }
  }

  static func unknown(_ name: String, file: String, line: Int) -> FileError {
    FileError(
      file: file, location: "line \(line)", expected: "one of the tests of chat templates",
      found: "the test \"\(name)\"")
  }
}

extension TemplateInterpreter {
  /// `value is test(arguments)`.
  ///
  /// Source: https://github.com/pallets/jinja/blob/3.1.6/src/jinja2/tests.py
  func holds(
    _ test: TemplateTest, _ value: TemplateValue, _ arguments: CallArguments
  ) throws(FileError) -> Bool {
    let line = arguments.line
    func other() throws(FileError) -> TemplateValue {
      try arguments.bound(["other"], required: 1, self)[0] ?? .none
    }
    func whole(_ value: TemplateValue) throws(FileError) -> Int {
      guard let number = value.wholeNumber else {
        throw error(line, expected: "a whole number for \"\(test.name)\"", found: value)
      }
      return number
    }
    switch test {
    case .unknown(let name): throw TemplateTest.unknown(name, file: template.file, line: line)
    case .compare(let comparison): return try holds(comparison, value, other(), line)
    case .isIn: return try contains(other(), value, line)
    case .same:
      let other = try other()
      switch (value, other) {
      case (.none, .none): return true
      case (.bool(let a), .bool(let b)): return a == b
      case (.none, _), (.bool, _), (_, .none), (_, .bool): return false
      default: throw error(line, expected: "true, false or none for \"sameas\"", found: other)
      }
    case .divisible:
      let divisor = try whole(try arguments.bound(["num"], required: 1, self)[0] ?? .none)
      guard divisor != 0 else { throw error(line, expected: "a divisor other than 0", found: "0") }
      return divisor == -1 ? true : try whole(value) % divisor == 0
    default: break
    }
    _ = try arguments.bound([], required: 0, self)
    switch test {
    case .defined: return !value.isUndefined
    case .undefined: return value.isUndefined
    case .isNone: if case .none = value { return true } else { return false }
    case .boolean: if case .bool = value { return true } else { return false }
    case .isTrue: if case .bool(true) = value { return true } else { return false }
    case .isFalse: if case .bool(false) = value { return true } else { return false }
    case .integer: if case .integer = value { return true } else { return false }
    case .float: if case .float = value { return true } else { return false }
    case .number: return value.number != nil
    case .string: return value.bytes != nil
    case .mapping: if case .dictionary = value { return true } else { return false }
    case .sequence:
      switch value {
      case .undefined, .string, .markup, .list, .tuple, .dictionary, .range: return true
      default: return false
      }
    case .iterable:
      switch value {
      case .undefined, .string, .markup, .list, .tuple, .dictionary, .range, .view, .iterator,
        .loop:
        return true
      default: return false
      }
    case .callable:
      switch value {
      case .undefined, .macro, .method, .function, .loop: return true
      default: return false
      }
    case .odd: return try whole(value) & 1 == 1
    case .even: return try whole(value) & 1 == 0
    case .lower: return PythonText.isAll(upper: false, try text(value, line))
    case .upper: return PythonText.isAll(upper: true, try text(value, line))
    case .filter, .test:
      guard let name = value.bytes.map(PythonText.string) else { return false }
      if case .filter = test { return TemplateFilter(named: name) != nil }
      return TemplateTest(named: name) != nil
    default: return false
    }
  }
}
