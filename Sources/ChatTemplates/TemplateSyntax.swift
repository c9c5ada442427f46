/// An expression of a template.
final class TemplateExpression: Sendable {
  enum Kind: Sendable {
    case literal(TemplateLiteral)
    case name(Int)
    case list([TemplateExpression])
    case tuple([TemplateExpression])
    case dictionary([(key: TemplateExpression, value: TemplateExpression)])
    case attribute(TemplateExpression, AttributeName)
    case item(TemplateExpression, TemplateExpression)
    case slice(
      TemplateExpression, start: TemplateExpression?, stop: TemplateExpression?,
      step: TemplateExpression?)
    case call(TemplateExpression, TemplateArguments)
    case filter(TemplateExpression, TemplateFilter, TemplateArguments)
    case test(TemplateExpression, TemplateTest, TemplateArguments)
    case not(TemplateExpression)
    case negative(TemplateExpression)
    case positive(TemplateExpression)
    case and(TemplateExpression, TemplateExpression)
    case or(TemplateExpression, TemplateExpression)
    case comparison(TemplateExpression, [(operation: Comparison, operand: TemplateExpression)])
    case arithmetic(Arithmetic, TemplateExpression, TemplateExpression)
    case concatenation([TemplateExpression])
    /// `value if condition else otherwise`; undefined where the condition fails and nothing else is given.
    case conditional(
      condition: TemplateExpression, value: TemplateExpression, otherwise: TemplateExpression?)
  }

  enum Comparison: Sendable {
    case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual, isIn, isNotIn
  }
  enum Arithmetic: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
  }

  let kind: Kind
  let line: Int
  /// How deep the tree under it is, which bounds the recursion of those who walk it.
  let depth: Int

  init(_ kind: Kind, line: Int) {
    self.kind = kind
    self.line = line
    depth = 1 + kind.parts.reduce(0) { max($0, $1.depth) }
  }
}

extension TemplateExpression.Kind {
  var parts: [TemplateExpression] {
    switch self {
    case .literal, .name: []
    case .list(let items), .tuple(let items), .concatenation(let items): items
    case .dictionary(let members): members.flatMap { [$0.key, $0.value] }
    case .attribute(let of, _), .not(let of), .negative(let of), .positive(let of): [of]
    case .item(let a, let b), .and(let a, let b), .or(let a, let b), .arithmetic(_, let a, let b):
      [a, b]
    case .slice(let of, let start, let stop, let step):
      [of] + [start, stop, step].compactMap(\.self)
    case .call(let of, let arguments), .filter(let of, _, let arguments),
      .test(let of, _, let arguments):
      [of] + arguments.positional + arguments.named.map(\.value)
    case .comparison(let first, let rest): [first] + rest.map(\.operand)
    case .conditional(let condition, let value, let otherwise):
      [condition, value] + [otherwise].compactMap(\.self)
    }
  }
}

enum TemplateLiteral: Sendable {
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string([UInt8])
}

/// The name after a dot, with which types have a method of that name.
struct AttributeName: Sendable {
  let bytes: [UInt8]
  let text: String
  let isDictionaryMethod: Bool
  let isStringMethod: Bool
  let isListMethod: Bool

  init(_ text: String) {
    (self.text, bytes) = (text, Array(text.utf8))
    isDictionaryMethod = Self.dictionaryMethods.contains(text)
    isStringMethod = Self.stringMethods.contains(text)
    isListMethod = Self.listMethods.contains(text)
  }

  // All methods of Python's types, so that each hides a key of its name; those that change their object, and some of the
  // others, are errors when they are called.
  private static let dictionaryMethods: Set = [
    "clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update",
    "values",
  ]
  private static let listMethods: Set = [
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse",
    "sort",
  ]
  private static let stringMethods: Set = [
    "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find",
    "format",
    "format_map", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier",
    "islower",
    "isnumeric", "isprintable", "isspace", "istitle", "isupper", "join", "ljust", "lower", "lstrip",
    "maketrans", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust",
    "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase",
    "title",
    "translate", "upper", "zfill",
  ]
}

/// The arguments of a call.
struct TemplateArguments: Sendable {
  var positional: [TemplateExpression] = []
  var named: [(name: String, value: TemplateExpression)] = []
}

/// A filter in use as a statement or after another expression.
struct TemplateFilterUse: Sendable {
  var filter: TemplateFilter
  var arguments: TemplateArguments
  var line: Int
}

/// A statement of a template.
enum TemplateStatement: Sendable {
  case data([UInt8])
  case output(TemplateExpression)
  case conditional(
    [(condition: TemplateExpression, body: [TemplateStatement])], otherwise: [TemplateStatement])
  case loop(TemplateLoop)
  case assign(TemplateTarget, TemplateExpression)
  /// `{% set name | filter %}…{% endset %}`
  case assignBlock(TemplateTarget, [TemplateFilterUse], [TemplateStatement])
  case filtered(TemplateFilterUse, [TemplateStatement], more: [TemplateFilterUse])
  case scope([(target: TemplateTarget, value: TemplateExpression)], [TemplateStatement])
  case macro(TemplateMacro)
  /// `{% generation %}`: what the assistant says.
  case generation([TemplateStatement])
  case breakLoop
  case continueLoop
}

final class TemplateLoop: Sendable {
  let target: TemplateTarget
  let items: TemplateExpression
  let condition: TemplateExpression?
  let body: [TemplateStatement]
  let otherwise: [TemplateStatement]
  let line: Int

  init(
    target: TemplateTarget, items: TemplateExpression, condition: TemplateExpression?,
    body: [TemplateStatement],
    otherwise: [TemplateStatement], line: Int
  ) {
    (self.target, self.items, self.condition) = (target, items, condition)
    (self.body, self.otherwise, self.line) = (body, otherwise, line)
  }
}

final class TemplateMacro: Sendable {
  let name: Int
  let parameters: [(name: Int, fallback: TemplateExpression?)]
  let body: [TemplateStatement]
  let line: Int

  init(
    name: Int, parameters: [(name: Int, fallback: TemplateExpression?)], body: [TemplateStatement],
    line: Int
  ) {
    (self.name, self.parameters, self.body, self.line) = (name, parameters, body, line)
  }
}

/// What `set` and `for` assign to.
enum TemplateTarget: Sendable {
  case name(Int)
  /// An attribute of a namespace.
  case attribute(of: Int, name: [UInt8], line: Int)
  indirect case tuple([TemplateTarget], line: Int)
}
