import Files

/// Renders a parsed template once.
///
/// Undefined values, truth, equality, slices and texts are those of Python and Jinja2 3.1. Work is bounded, so that a
/// template can neither run nor nest without end.
final class TemplateInterpreter {
  let template: ParsedTemplate
  let date: TemplateDate
  private(set) var output: [UInt8] = []
  /// The parts of `output` that `{% generation %}` blocks made.
  private(set) var generated: [Range<Int>] = []
  private let globals = TemplateScope(parent: nil)
  /// Blocks whose output is taken by something else than `output`.
  private var captures = 0
  private var depth = 0
  private var work = 0

  /// How much may be done: a statement or expression counts 16, a byte or item made 1.
  static let maximumWork = 1 << 26
  /// How deep expressions, blocks and macros may nest while rendering.
  static let maximumDepth = 200
  private static let step = 16

  init(_ template: ParsedTemplate, date: TemplateDate) {
    (self.template, self.date) = (template, date)
  }

  // MARK: Errors and bounds

  func error(_ line: Int, expected: String, found: String) -> FileError {
    FileError(file: template.file, location: "line \(line)", expected: expected, found: found)
  }

  func error(_ line: Int, expected: String, found value: TemplateValue) -> FileError {
    if case .undefined(let undefined) = value {
      return error(line, expected: expected, found: undefined.reason)
    }
    return error(line, expected: expected, found: value.typeName)
  }

  /// Counts `amount` bytes or items that are made. Throws where the bound is reached.
  func charge(_ amount: Int, _ line: Int) throws(FileError) {
    work += amount
    if work > Self.maximumWork {
      throw error(
        line, expected: "a template that ends", found: "one that takes too long or writes too much")
    }
  }

  private func enter(_ line: Int) throws(FileError) {
    depth += 1
    work += Self.step
    if depth > Self.maximumDepth {
      throw error(
        line, expected: "macros and blocks at most \(Self.maximumDepth) deep", found: "deeper ones")
    }
    if work > Self.maximumWork { try charge(0, line) }
  }

  /// `value`, which has been made from others. Throws where it nests too deep.
  func bounded(_ value: TemplateValue, _ line: Int) throws(FileError) -> TemplateValue {
    if value.depth > TemplateItems.maximumDepth {
      throw error(
        line, expected: "lists at most \(TemplateItems.maximumDepth) deep", found: "deeper ones")
    }
    if value.size > TemplateItems.maximumSize {
      throw error(
        line, expected: "a list of at most \(TemplateItems.maximumSize) values",
        found: "a larger one")
    }
    return value
  }

  // MARK: Statements

  enum Flow { case next, breakLoop, continueLoop }

  func render(_ variables: [(name: String, value: TemplateValue)]) throws(FileError) {
    for function in WellKnownName.functions { globals.set(function.number, .function(function)) }
    for (name, value) in variables {
      if let number = template.names.firstIndex(of: name) { globals.set(number, value) }
    }
    _ = try execute(template.statements, TemplateScope(parent: globals), line: 1)
  }

  private func execute(
    _ statements: [TemplateStatement], _ scope: TemplateScope, line: Int
  ) throws(FileError) -> Flow {
    try enter(line)
    for statement in statements {
      work += Self.step
      let flow = try execute(statement, scope, line: line)
      if flow != .next {
        depth -= 1
        return flow
      }
    }
    depth -= 1
    return .next
  }

  private func execute(
    _ statement: TemplateStatement, _ scope: TemplateScope, line: Int
  ) throws(FileError) -> Flow {
    switch statement {
    case .data(let bytes): try write(bytes, line)
    case .output(let expression): try write(expression, scope)
    case .conditional(let branches, let otherwise):
      for (condition, body) in branches where try evaluate(condition, scope).isTrue {
        return try execute(body, scope, line: condition.line)
      }
      if !otherwise.isEmpty { return try execute(otherwise, scope, line: line) }
    case .loop(let loop): try execute(loop, scope)
    case .assign(let target, let value): try assign(target, evaluate(value, scope), scope)
    case .assignBlock(let target, let filters, let body):
      return try assignBlock(target, filters, body, scope, line: line)
    case .filtered(let first, let body, let more):
      let (value, flow) = try captured(body, scope, [first] + more, line: first.line)
      try write(text(value, first.line), first.line)
      return flow
    case .scope(let assignments, let body):
      let inner = TemplateScope(parent: scope)
      for (target, value) in assignments { try assign(target, evaluate(value, scope), inner) }
      return try execute(body, inner, line: line)
    case .macro(let macro): scope.set(macro.name, .macro(MacroClosure(macro, in: scope)))
    case .generation(let body):
      let start = output.count
      let flow = try execute(body, TemplateScope(parent: scope), line: line)
      if captures == 0 { generated.append(start..<output.count) }
      return flow
    case .breakLoop: return .breakLoop
    case .continueLoop: return .continueLoop
    }
    return .next
  }

  private func write(_ bytes: [UInt8], _ line: Int) throws(FileError) {
    try charge(bytes.count, line)
    output += bytes
  }

  private func write(_ expression: TemplateExpression, _ scope: TemplateScope) throws(FileError) {
    let value = try evaluate(expression, scope)
    if let bytes = value.bytes {
      try write(bytes, expression.line)
    } else {
      try write(text(value, expression.line), expression.line)
    }
  }

  /// What `body` writes, through `filters`.
  private func captured(
    _ body: [TemplateStatement], _ scope: TemplateScope, _ filters: [TemplateFilterUse], line: Int
  ) throws(FileError) -> (TemplateValue, Flow) {
    let inner = TemplateScope(parent: scope)
    let (bytes, flow) = try capture { interpreter throws(FileError) in
      try interpreter.execute(body, inner, line: line)
    }
    var value = TemplateValue.string(bytes)
    for use in filters {
      value = try apply(
        use.filter, to: value, arguments(use.arguments, use.filter.name, scope, use.line))
    }
    return (value, flow)
  }

  private func capture(
    _ run: (TemplateInterpreter) throws(FileError) -> Flow
  ) throws(FileError) -> ([UInt8], Flow) {
    var around: [UInt8] = []
    swap(&around, &output)
    captures += 1
    let flow = try run(self)
    captures -= 1
    swap(&around, &output)
    return (around, flow)
  }

  private func assignBlock(
    _ target: TemplateTarget, _ filters: [TemplateFilterUse], _ body: [TemplateStatement],
    _ scope: TemplateScope, line: Int
  ) throws(FileError) -> Flow {
    let (value, flow) = try captured(body, scope, filters, line: line)
    if flow == .next { try assign(target, value, scope) }
    return flow
  }

  private func assign(
    _ target: TemplateTarget, _ value: TemplateValue, _ scope: TemplateScope
  ) throws(FileError) {
    switch target {
    case .name(let name): scope.set(name, value)
    case .attribute(let of, let name, let line):
      let base = scope.value(of) ?? .undefined(.variable(template.names[of]))
      guard case .namespace(let namespace) = base else {
        throw error(
          line, expected: "a namespace to set \"\(PythonText.string(name))\" of", found: base)
      }
      try set(.string(name), of: namespace, to: value, line)
    case .tuple(let targets, let line):
      let values = try items(of: value, line)
      guard values.count == targets.count else {
        throw error(
          line, expected: "\(targets.count) values for as many names", found: "\(values.count)")
      }
      for (target, value) in zip(targets, values) { try assign(target, value, scope) }
    }
  }

  func set(
    _ name: TemplateValue, of namespace: TemplateNamespace, to value: TemplateValue, _ line: Int
  ) throws(FileError) {
    guard !value.holdsReferences else {
      throw error(line, expected: "plain data as an attribute of a namespace", found: value)
    }
    if let bytes = name.bytes, bytes.first == UInt8(ascii: "_") {
      throw error(
        line, expected: "an attribute without \"_\" before it",
        found: "\"\(PythonText.string(bytes))\"")
    }
    try charge(namespace.attributes.keys.count >> 2, line)
    namespace.attributes.set(name, value)
  }

  private func execute(_ loop: TemplateLoop, _ scope: TemplateScope) throws(FileError) {
    var values = try items(of: evaluate(loop.items, scope), loop.line)
    if let condition = loop.condition {
      var kept: [TemplateValue] = []
      for value in values {
        let inner = TemplateScope(parent: scope)
        try assign(loop.target, value, inner)
        if try evaluate(condition, inner).isTrue { kept.append(value) }
      }
      values = kept
    }
    let state = LoopState(values)
    // As Jinja2 compiles it, an iteration that ends in `continue` or `break` leaves the `else` branch due.
    var isComplete = false
    iterations: for (index, value) in values.enumerated() {
      state.index = index
      let inner = TemplateScope(parent: scope)
      inner.set(WellKnownName.loop.number, .loop(state))
      try assign(loop.target, value, inner)
      switch try execute(loop.body, inner, line: loop.line) {
      case .next: isComplete = true
      case .continueLoop: continue
      case .breakLoop: break iterations
      }
    }
    if !isComplete, !loop.otherwise.isEmpty {
      _ = try execute(loop.otherwise, TemplateScope(parent: scope), line: loop.line)
    }
  }

  func call(_ closure: MacroClosure, _ arguments: CallArguments) throws(FileError) -> TemplateValue
  {
    let macro = closure.macro
    let inner = TemplateScope(parent: closure.scope)
    let names = macro.parameters.map { template.names[$0.name] }
    let bound = try arguments.bound(names, required: 0, self)
    for ((name, fallback), value) in zip(macro.parameters, bound) {
      if let value {
        inner.set(name, value)
      } else if let fallback {
        inner.set(name, try evaluate(fallback, inner))
      } else {
        inner.set(
          name, .undefined(.other("the parameter \"\(template.names[name])\", which was not given"))
        )
      }
    }
    let (text, _) = try capture { interpreter throws(FileError) in
      try interpreter.execute(macro.body, inner, line: arguments.line)
    }
    return .string(text)
  }

  // MARK: Expressions

  func evaluate(_ expression: TemplateExpression, _ scope: TemplateScope) throws(FileError)
    -> TemplateValue
  {
    work += Self.step
    switch expression.kind {
    case .literal(let literal):
      switch literal {
      case .string(let text): return .string(text)
      case .integer(let value): return .integer(value)
      case .float(let value): return .float(value)
      case .bool(let value): return .bool(value)
      case .none: return .none
      }
    case .name(let name): return scope.value(name) ?? .undefined(.variable(template.names[name]))
    default: break
    }
    try enter(expression.line)
    let value = try evaluateParts(expression, scope)
    depth -= 1
    return value
  }

  private func evaluateParts(
    _ expression: TemplateExpression, _ scope: TemplateScope
  ) throws(FileError) -> TemplateValue {
    let line = expression.line
    switch expression.kind {
    case .literal, .name: return .none
    case .attribute(let base, let name): return try attribute(name, of: evaluate(base, scope), line)
    case .item(let base, let index):
      return try item(evaluate(index, scope), of: evaluate(base, scope), line)
    case .not(let operand): return .bool(try !evaluate(operand, scope).isTrue)
    case .and(let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? try evaluate(right, scope) : value
    case .or(let left, let right):
      let value = try evaluate(left, scope)
      return value.isTrue ? value : try evaluate(right, scope)
    case .comparison(let first, let rest): return try compare(first, rest, scope)
    case .conditional(let condition, let value, let otherwise):
      if try evaluate(condition, scope).isTrue { return try evaluate(value, scope) }
      if let otherwise { return try evaluate(otherwise, scope) }
      return .undefined(.other("the value of an \"if\" without \"else\""))
    case .arithmetic(let operation, let left, let right):
      return try compute(operation, evaluate(left, scope), evaluate(right, scope), line)
    case .concatenation(let parts): return try concatenate(parts, scope, line)
    case .test(let base, let test, let given):
      let value = try evaluate(base, scope)
      if case .defined = test { return .bool(!value.isUndefined) }
      return .bool(try holds(test, value, arguments(given, test.name, scope, line)))
    case .filter(let base, let filter, let given):
      let value = try evaluate(base, scope)
      return try apply(filter, to: value, arguments(given, filter.name, scope, line))
    case .call(let callee, let given): return try call(callee, given, scope, line)
    default: return try evaluateRare(expression, scope)
    }
  }

  /// Apart from `evaluateParts`, whose stack frame is taken at each level.
  private func evaluateRare(
    _ expression: TemplateExpression, _ scope: TemplateScope
  ) throws(FileError) -> TemplateValue {
    let line = expression.line
    switch expression.kind {
    case .list(let items): return try bounded(.list(evaluate(items, scope)), line)
    case .tuple(let items): return try bounded(.tuple(evaluate(items, scope)), line)
    case .dictionary(let members):
      var dictionary = TemplateDictionary()
      for (key, value) in members {
        try charge(dictionary.keys.count >> 2, line)
        dictionary.set(try hashable(evaluate(key, scope), line), try evaluate(value, scope))
      }
      return try bounded(.dictionary(dictionary), line)
    case .negative(let operand):
      switch try evaluate(operand, scope) {
      case .float(let value): return .float(-value)
      case let value: return try compute(.subtract, .integer(0), value, line)
      }
    case .positive(let operand):
      return try compute(.add, .integer(0), evaluate(operand, scope), line)
    case .slice(let base, let start, let stop, let step):
      var bounds: [Int?] = []
      for bound in [start, stop, step] { bounds.append(try sliceBound(bound, scope)) }
      return try slice(evaluate(base, scope), bounds[0], bounds[1], bounds[2], line)
    default: return .none
    }
  }

  private func evaluate(
    _ expressions: [TemplateExpression], _ scope: TemplateScope
  ) throws(FileError) -> [TemplateValue] {
    var values: [TemplateValue] = []
    values.reserveCapacity(expressions.count)
    for expression in expressions { values.append(try evaluate(expression, scope)) }
    return values
  }

  private func concatenate(
    _ parts: [TemplateExpression], _ scope: TemplateScope, _ line: Int
  ) throws(FileError) -> TemplateValue {
    var bytes: [UInt8] = []
    for part in parts { bytes += try text(evaluate(part, scope), line) }
    try charge(bytes.count, line)
    return .string(bytes)
  }

  private func compare(
    _ first: TemplateExpression,
    _ rest: [(operation: TemplateExpression.Comparison, operand: TemplateExpression)],
    _ scope: TemplateScope
  ) throws(FileError) -> TemplateValue {
    var left = try evaluate(first, scope)
    for (operation, operand) in rest {
      let right = try evaluate(operand, scope)
      guard try holds(operation, left, right, first.line) else { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  private func sliceBound(
    _ expression: TemplateExpression?, _ scope: TemplateScope
  ) throws(FileError) -> Int? {
    guard let expression else { return nil }
    switch try evaluate(expression, scope) {
    case .none: return nil
    case let value:
      guard let number = value.wholeNumber else {
        throw error(expression.line, expected: "a whole number in a slice", found: value)
      }
      return number
    }
  }

  // MARK: Calls

  func arguments(
    _ given: TemplateArguments, _ callee: String, _ scope: TemplateScope, _ line: Int
  ) throws(FileError) -> CallArguments {
    var arguments = CallArguments(callee: callee, line: line)
    if given.positional.isEmpty, given.named.isEmpty { return arguments }
    arguments.positional = try evaluate(given.positional, scope)
    for (name, value) in given.named { arguments.named.append((name, try evaluate(value, scope))) }
    return arguments
  }

  private func call(
    _ callee: TemplateExpression, _ given: TemplateArguments, _ scope: TemplateScope, _ line: Int
  ) throws(FileError) -> TemplateValue {
    let function = try evaluate(callee, scope)
    switch function {
    case .method(let method):
      return try call(method.name, of: method.receiver, arguments(given, method.name, scope, line))
    case .function(let function):
      return try call(function, arguments(given, function.rawValue, scope, line))
    case .macro(let closure):
      let name = template.names[closure.macro.name]
      return try call(closure, arguments(given, name, scope, line))
    default: throw error(line, expected: "a function to call", found: function)
    }
  }
}

/// The values of a call's arguments.
struct CallArguments {
  /// What is called, for messages.
  var callee: String
  var line: Int
  var positional: [TemplateValue] = []
  var named: [(name: String, value: TemplateValue)] = []

  /// The arguments as the parameters `names` take them, of which the first `required` must be there.
  func bound(_ names: [String], required: Int, _ interpreter: TemplateInterpreter) throws(FileError)
    -> [TemplateValue?]
  {
    guard positional.count <= names.count else {
      throw interpreter.error(
        line, expected: "at most \(names.count) arguments of \"\(callee)\"",
        found: "\(positional.count)")
    }
    var values: [TemplateValue?] =
      positional + [TemplateValue?](repeating: nil, count: names.count - positional.count)
    for (name, value) in named {
      guard let index = names.firstIndex(of: name), values[index] == nil else {
        throw interpreter.error(
          line, expected: "arguments that \"\(callee)\" takes", found: "\"\(name)\"")
      }
      values[index] = value
    }
    for index in 0..<required where values[index] == nil {
      throw interpreter.error(
        line, expected: "the argument \"\(names[index])\" of \"\(callee)\"", found: "none")
    }
    return values
  }
}
