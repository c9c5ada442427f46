import Files

/// A template as statements. Names are numbers, indices of `names`.
struct ParsedTemplate: Sendable {
  let file: String
  let statements: [TemplateStatement]
  let names: [String]
  /// Whether there is a `{% generation %}` block.
  let marksGeneration: Bool
}

/// Reads the statements of a template by recursive descent.
///
/// Source: `Parser` of Jinja2 3.1 (https://github.com/pallets/jinja/blob/3.1.6/src/jinja2/parser.py). What Jinja2 can do
/// and chat templates do not ask for is an error: `extends`, `block`, `include`, `import`, `call`, recursive loops,
/// `*args`, `varargs`, and filters and tests without a case in `TemplateFilter` and `TemplateTest`. In a branch of an `if`
/// such a filter or test is an error only where it is reached, as in Jinja2.
struct TemplateParser {
  private let file: String
  private let tokens: [TemplateToken]
  private var index = 0
  private var names: [String] = []
  private var numbers: [String: Int] = [:]
  /// Brackets and blocks around the present place.
  private var nesting = 0
  private var loops = 0
  /// Conditional blocks around the present place, in which Jinja2 refuses an unknown filter or test when it is used.
  private var branches = 0
  private var isInMacro = false
  private var marksGeneration = false

  /// How deep brackets and blocks may nest, and how deep an expression's tree may be.
  static let maximumNesting = 48
  static let maximumDepth = 120
  /// How many names there may be, since they are looked up one by one.
  static let maximumNames = 1000

  static func parse(_ source: String, file: String) throws(FileError) -> ParsedTemplate {
    var parser = TemplateParser(
      file: file, tokens: try TemplateLexer.tokens(of: source, file: file))
    // Names that the interpreter sets itself have fixed numbers.
    for name in WellKnownName.allCases { _ = parser.number(of: name.rawValue) }
    let statements = try parser.body(until: [])
    guard parser.names.count <= maximumNames else {
      throw FileError(
        file: file, expected: "a template of at most \(maximumNames) names",
        found: "\(parser.names.count)")
    }
    return ParsedTemplate(
      file: file, statements: statements, names: parser.names,
      marksGeneration: parser.marksGeneration)
  }

  private init(file: String, tokens: [TemplateToken]) { (self.file, self.tokens) = (file, tokens) }

  // MARK: Tokens

  private var token: TemplateToken { tokens[index] }
  private var line: Int { token.line }

  private func error(_ line: Int? = nil, expected: String, found: String? = nil) -> FileError {
    FileError(
      file: file, location: "line \(line ?? self.line)", expected: expected,
      found: found ?? token.description)
  }

  private mutating func advance() { if index < tokens.count - 1 { index += 1 } }

  private func isMark(_ mark: TemplateToken.Mark) -> Bool { token.kind == .mark(mark) }
  private func isName(_ name: String) -> Bool { token.kind == .name(name) }

  private mutating func skip(_ mark: TemplateToken.Mark) -> Bool {
    guard isMark(mark) else { return false }
    advance()
    return true
  }

  private mutating func skip(name: String) -> Bool {
    guard isName(name) else { return false }
    advance()
    return true
  }

  private mutating func expect(_ mark: TemplateToken.Mark) throws(FileError) {
    guard skip(mark) else { throw error(expected: "\"\(mark.rawValue)\"") }
  }

  private mutating func expect(_ kind: TemplateToken.Kind, _ words: String) throws(FileError) {
    guard token.kind == kind else { throw error(expected: words) }
    advance()
  }

  private mutating func name() throws(FileError) -> String {
    guard case .name(let name) = token.kind else { throw error(expected: "a name") }
    advance()
    return name
  }

  private mutating func number(of name: String) -> Int {
    if let number = numbers[name] { return number }
    numbers[name] = names.count
    names.append(name)
    return names.count - 1
  }

  private mutating func nested<Result>(
    _ read: (inout TemplateParser) throws(FileError) -> Result
  ) throws(FileError) -> Result {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= Self.maximumNesting else {
      throw error(
        expected: "brackets and blocks at most \(Self.maximumNesting) deep", found: "deeper ones")
    }
    return try read(&self)
  }

  private func make(_ kind: TemplateExpression.Kind, line: Int) throws(FileError)
    -> TemplateExpression
  {
    let expression = TemplateExpression(kind, line: line)
    guard expression.depth <= Self.maximumDepth else {
      throw error(
        line, expected: "an expression of at most \(Self.maximumDepth) levels",
        found: "a deeper one")
    }
    return expression
  }

  // MARK: Statements

  /// The statements up to a tag that begins with one of `ends`, which is the present token; up to the end of the template
  /// if `ends` is empty.
  private mutating func body(until ends: [String]) throws(FileError) -> [TemplateStatement] {
    try nested { parser throws(FileError) in try parser.statements(until: ends) }
  }

  private mutating func statements(until ends: [String]) throws(FileError) -> [TemplateStatement] {
    var statements: [TemplateStatement] = []
    while true {
      switch token.kind {
      case .data(let bytes):
        statements.append(.data(bytes))
        advance()
      case .variableBegin:
        advance()
        statements.append(.output(try tuple()))
        try expect(.variableEnd, "\"}}\"")
      case .blockBegin:
        advance()
        if case .name(let name) = token.kind, ends.contains(name) { return statements }
        statements.append(contentsOf: try statement(ends: ends))
        try expect(.blockEnd, "\"%}\"")
      default:
        guard ends.isEmpty else {
          throw error(expected: ends.map { "{% \($0) %}" }.joined(separator: " or "))
        }
        return statements
      }
    }
  }

  /// The body of the present tag, whose end is `end`.
  private mutating func block(_ end: String) throws(FileError) -> [TemplateStatement] {
    try expect(.blockEnd, "\"%}\"")
    let body = try body(until: [end])
    advance()
    return body
  }

  private mutating func statement(ends: [String]) throws(FileError) -> [TemplateStatement] {
    let line = line
    guard case .name(let name) = token.kind else { throw error(expected: "the name of a tag") }
    advance()
    switch name {
    case "if": return [try conditional()]
    case "for": return [try loop(line: line)]
    case "set": return [try assignment()]
    case "macro": return [try macro(line: line)]
    case "with": return [try scope()]
    case "filter":
      let (first, more) = try filterUses(startsInline: true)
      guard let first else { throw error(expected: "a filter") }
      return [.filtered(first, try block("endfilter"), more: more)]
    case "generation":
      marksGeneration = true
      return [.generation(try block("endgeneration"))]
    case "break", "continue":
      guard loops > 0 else {
        throw error(line, expected: "{% \(name) %} in a loop", found: "it outside of one")
      }
      return [name == "break" ? .breakLoop : .continueLoop]
    case "print":
      var outputs: [TemplateStatement] = []
      while token.kind != .blockEnd {
        if !outputs.isEmpty { try expect(.comma) }
        outputs.append(.output(try expression()))
      }
      return outputs
    default:
      let end = ends.isEmpty ? "" : " or \(ends.map { "{% \($0) %}" }.joined(separator: ", "))"
      throw error(
        line,
        expected: "one of the tags of chat templates (if, for, set, macro, generation, …)\(end)",
        found: "{% \(name) %}")
    }
  }

  private mutating func conditional() throws(FileError) -> TemplateStatement {
    var branches: [(TemplateExpression, [TemplateStatement])] = []
    self.branches += 1
    defer { self.branches -= 1 }
    while true {
      let condition = try tuple(withConditional: false)
      try expect(.blockEnd, "\"%}\"")
      branches.append((condition, try body(until: ["elif", "else", "endif"])))
      if skip(name: "elif") { continue }
      if skip(name: "else") { return .conditional(branches, otherwise: try block("endif")) }
      advance()
      return .conditional(branches, otherwise: [])
    }
  }

  private mutating func loop(line: Int) throws(FileError) -> TemplateStatement {
    let target = try target(allowsAttribute: false, endsAtIn: true)
    guard skip(name: "in") else { throw error(expected: "\"in\"") }
    let items = try tuple(withConditional: false, endsAtRecursive: true)
    let condition = skip(name: "if") ? try expression() : nil
    if isName("recursive") {
      throw error(expected: "a loop that is not recursive", found: "\"recursive\"")
    }
    try expect(.blockEnd, "\"%}\"")
    loops += 1
    let body = try body(until: ["else", "endfor"])
    loops -= 1
    var otherwise: [TemplateStatement] = []
    if skip(name: "else") { otherwise = try block("endfor") } else { advance() }
    return .loop(
      TemplateLoop(
        target: target, items: items, condition: condition, body: body, otherwise: otherwise,
        line: line))
  }

  private mutating func assignment() throws(FileError) -> TemplateStatement {
    let target = try target(allowsAttribute: true)
    if skip(.assign) { return .assign(target, try tuple()) }
    let uses = try filterUses(startsInline: false)
    let filters = [uses.0].compactMap(\.self) + uses.1
    return .assignBlock(target, filters, try block("endset"))
  }

  private mutating func scope() throws(FileError) -> TemplateStatement {
    var assignments: [(TemplateTarget, TemplateExpression)] = []
    while token.kind != .blockEnd {
      if !assignments.isEmpty { try expect(.comma) }
      let target = try target(allowsAttribute: false)
      try expect(.assign)
      assignments.append((target, try expression()))
    }
    return .scope(assignments, try block("endwith"))
  }

  private mutating func macro(line: Int) throws(FileError) -> TemplateStatement {
    let name = number(of: try name())
    try expect(.openParenthesis)
    var parameters: [(name: Int, fallback: TemplateExpression?)] = []
    while !isMark(.closeParenthesis) {
      if !parameters.isEmpty { try expect(.comma) }
      let parameter = number(of: try self.name())
      if skip(.assign) {
        parameters.append((parameter, try expression()))
      } else if parameters.last?.fallback != nil {
        throw error(expected: "a default, since the parameter before has one")
      } else {
        parameters.append((parameter, nil))
      }
    }
    advance()
    let (loopsAround, wasInMacro) = (loops, isInMacro)
    (loops, isInMacro) = (0, true)
    defer { (loops, isInMacro) = (loopsAround, wasInMacro) }
    return .macro(
      TemplateMacro(name: name, parameters: parameters, body: try block("endmacro"), line: line))
  }

  /// A name, an attribute of a namespace or several of them.
  private mutating func target(
    allowsAttribute: Bool, endsAtIn: Bool = false
  ) throws(FileError) -> TemplateTarget {
    let line = line
    var targets: [TemplateTarget] = []
    var isTuple = false
    while true {
      if isTuple,
        isName("in") && endsAtIn || token.kind == .blockEnd || isMark(.assign)
          || isMark(.closeParenthesis)
      {
        break
      }
      if isMark(.openParenthesis) {
        targets.append(
          try nested { parser throws(FileError) in
            parser.advance()
            let inner = try parser.target(allowsAttribute: allowsAttribute)
            try parser.expect(.closeParenthesis)
            return inner
          })
      } else {
        let nameLine = self.line
        let name = try name()
        guard !Self.literalNames.contains(name) else {
          throw error(nameLine, expected: "a name to assign to", found: "\"\(name)\"")
        }
        if allowsAttribute, skip(.dot) {
          targets.append(
            .attribute(of: number(of: name), name: Array(try self.name().utf8), line: nameLine))
        } else {
          targets.append(.name(number(of: name)))
        }
      }
      guard skip(.comma) else { break }
      isTuple = true
    }
    return isTuple ? .tuple(targets, line: line) : targets[0]
  }

  private static let literalNames: Set = ["true", "false", "none", "True", "False", "None"]

  // MARK: Expressions

  /// One expression, or a tuple of several with commas between them.
  private mutating func tuple(
    withConditional: Bool = true, endsAtRecursive: Bool = false, isParenthesized: Bool = false
  ) throws(FileError) -> TemplateExpression {
    let line = line
    var items: [TemplateExpression] = []
    var isTuple = false
    while true {
      let isEnd =
        token.kind == .variableEnd || token.kind == .blockEnd || isMark(.closeParenthesis)
        || endsAtRecursive && isName("recursive")
      if isEnd { break }
      items.append(try withConditional ? expression() : disjunction())
      guard skip(.comma) else { break }
      isTuple = true
    }
    if !isTuple {
      if let item = items.first { return item }
      guard isParenthesized else { throw error(expected: "an expression") }
    }
    return try make(.tuple(items), line: line)
  }

  private mutating func expression() throws(FileError) -> TemplateExpression {
    try nested { parser throws(FileError) in try parser.conditionalExpression() }
  }

  private mutating func conditionalExpression() throws(FileError) -> TemplateExpression {
    let line = line
    var value = try disjunction()
    while skip(name: "if") {
      let condition = try disjunction()
      let otherwise = skip(name: "else") ? try expression() : nil
      value = try make(
        .conditional(condition: condition, value: value, otherwise: otherwise), line: line)
    }
    return value
  }

  private mutating func disjunction() throws(FileError) -> TemplateExpression {
    let line = line
    var left = try conjunction()
    while skip(name: "or") { left = try make(.or(left, try conjunction()), line: line) }
    return left
  }

  private mutating func conjunction() throws(FileError) -> TemplateExpression {
    let line = line
    var left = try negation()
    while skip(name: "and") { left = try make(.and(left, try negation()), line: line) }
    return left
  }

  private mutating func negation() throws(FileError) -> TemplateExpression {
    let line = line
    guard skip(name: "not") else { return try comparison() }
    return try make(
      .not(try nested { parser throws(FileError) in try parser.negation() }), line: line)
  }

  private mutating func comparison() throws(FileError) -> TemplateExpression {
    let line = line
    let first = try sum()
    var rest: [(TemplateExpression.Comparison, TemplateExpression)] = []
    while true {
      let operation: TemplateExpression.Comparison? =
        switch token.kind {
        case .mark(.equal): .equal
        case .mark(.notEqual): .notEqual
        case .mark(.less): .less
        case .mark(.lessOrEqual): .lessOrEqual
        case .mark(.greater): .greater
        case .mark(.greaterOrEqual): .greaterOrEqual
        case .name("in"): .isIn
        case .name("not") where tokens[min(index + 1, tokens.count - 1)].kind == .name("in"):
          .isNotIn
        default: nil
        }
      guard let operation else { break }
      advance()
      if operation == .isNotIn { advance() }
      rest.append((operation, try sum()))
    }
    return rest.isEmpty ? first : try make(.comparison(first, rest), line: line)
  }

  private mutating func sum() throws(FileError) -> TemplateExpression {
    let line = line
    var left = try concatenation()
    while true {
      let operation: TemplateExpression.Arithmetic
      switch token.kind {
      case .mark(.add): operation = .add
      case .mark(.subtract): operation = .subtract
      default: return left
      }
      advance()
      left = try make(.arithmetic(operation, left, try concatenation()), line: line)
    }
  }

  private mutating func concatenation() throws(FileError) -> TemplateExpression {
    let line = line
    var parts = [try product()]
    while skip(.concatenate) { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try make(.concatenation(parts), line: line)
  }

  private mutating func product() throws(FileError) -> TemplateExpression {
    let line = line
    var left = try power()
    while true {
      let operation: TemplateExpression.Arithmetic
      switch token.kind {
      case .mark(.multiply): operation = .multiply
      case .mark(.divide): operation = .divide
      case .mark(.floorDivide): operation = .floorDivide
      case .mark(.modulo): operation = .modulo
      default: return left
      }
      advance()
      left = try make(.arithmetic(operation, left, try power()), line: line)
    }
  }

  private mutating func power() throws(FileError) -> TemplateExpression {
    let line = line
    var left = try unary()
    // Unlike Python, Jinja2 groups powers from the left.
    while skip(.power) { left = try make(.arithmetic(.power, left, try unary()), line: line) }
    return left
  }

  private mutating func unary(withFilters: Bool = true) throws(FileError) -> TemplateExpression {
    let line = line
    var expression: TemplateExpression
    if skip(.subtract) {
      expression = try make(.negative(try signed()), line: line)
    } else if skip(.add) {
      expression = try make(.positive(try signed()), line: line)
    } else {
      expression = try primary()
    }
    expression = try postfix(expression)
    return withFilters ? try filtered(expression) : expression
  }

  private mutating func signed() throws(FileError) -> TemplateExpression {
    try nested { parser throws(FileError) in try parser.unary(withFilters: false) }
  }

  private mutating func primary() throws(FileError) -> TemplateExpression {
    let line = line
    switch token.kind {
    case .name(let name):
      advance()
      switch name {
      case "true", "True": return try make(.literal(.bool(true)), line: line)
      case "false", "False": return try make(.literal(.bool(false)), line: line)
      case "none", "None": return try make(.literal(.none), line: line)
      case "varargs", "kwargs", "caller":
        if isInMacro {
          throw error(line, expected: "a macro with named parameters only", found: "\"\(name)\"")
        }
        return try make(.name(number(of: name)), line: line)
      default: return try make(.name(number(of: name)), line: line)
      }
    case .string(var text):
      advance()
      while case .string(let more) = token.kind {
        text += more
        advance()
      }
      return try make(.literal(.string(text)), line: line)
    case .integer(let value):
      advance()
      return try make(.literal(.integer(value)), line: line)
    case .float(let value):
      advance()
      return try make(.literal(.float(value)), line: line)
    case .mark(.openParenthesis):
      return try nested { parser throws(FileError) in
        parser.advance()
        let inner = try parser.tuple(isParenthesized: true)
        try parser.expect(.closeParenthesis)
        return inner
      }
    case .mark(.openBracket):
      advance()
      var items: [TemplateExpression] = []
      while !isMark(.closeBracket) {
        items.append(try expression())
        if !skip(.comma) { break }
      }
      try expect(.closeBracket)
      return try make(.list(items), line: line)
    case .mark(.openBrace):
      advance()
      var members: [(TemplateExpression, TemplateExpression)] = []
      while !isMark(.closeBrace) {
        let key = try expression()
        try expect(.colon)
        members.append((key, try expression()))
        if !skip(.comma) { break }
      }
      try expect(.closeBrace)
      return try make(.dictionary(members), line: line)
    default: throw error(expected: "an expression")
    }
  }

  private mutating func postfix(_ base: TemplateExpression) throws(FileError) -> TemplateExpression
  {
    var expression = base
    while true {
      let line = line
      switch token.kind {
      case .mark(.dot):
        advance()
        switch token.kind {
        case .name(let name):
          expression = try make(.attribute(expression, AttributeName(name)), line: line)
        case .integer(let index):
          let index = try make(.literal(.integer(index)), line: line)
          expression = try make(.item(expression, index), line: line)
        default: throw error(expected: "a name or a number")
        }
        advance()
      case .mark(.openBracket): expression = try subscripted(expression)
      case .mark(.openParenthesis):
        expression = try make(.call(expression, try arguments()), line: line)
      default: return expression
      }
    }
  }

  private mutating func subscripted(_ base: TemplateExpression) throws(FileError)
    -> TemplateExpression
  {
    let line = line
    advance()
    var bounds: [TemplateExpression?] = [nil]
    while !isMark(.closeBracket) {
      if skip(.colon) {
        bounds.append(nil)
      } else {
        guard bounds[bounds.count - 1] == nil else { throw error(expected: "\"]\"") }
        bounds[bounds.count - 1] = try expression()
      }
    }
    try expect(.closeBracket)
    guard bounds.count <= 3 else {
      throw error(line, expected: "a slice of start, stop and step", found: "\(bounds.count) parts")
    }
    if bounds.count == 1 {
      guard let index = bounds[0] else { throw error(line, expected: "an index", found: "\"[]\"") }
      return try make(.item(base, index), line: line)
    }
    return try make(
      .slice(base, start: bounds[0], stop: bounds[1], step: bounds.count > 2 ? bounds[2] : nil),
      line: line)
  }

  private mutating func filtered(_ base: TemplateExpression) throws(FileError) -> TemplateExpression
  {
    var expression = base
    while true {
      let line = line
      switch token.kind {
      case .mark(.pipe):
        advance()
        let use = try filterUse()
        expression = try make(.filter(expression, use.filter, use.arguments), line: use.line)
      case .name("is"):
        advance()
        expression = try test(of: expression, line: line)
      case .mark(.openParenthesis):
        expression = try make(.call(expression, try arguments()), line: line)
      default: return expression
      }
    }
  }

  private mutating func test(of base: TemplateExpression, line: Int) throws(FileError)
    -> TemplateExpression
  {
    let isNegated = skip(name: "not")
    let nameLine = self.line
    let name = try name()
    guard let test = TemplateTest(named: name) ?? (branches > 0 ? .unknown(name) : nil) else {
      throw TemplateTest.unknown(name, file: file, line: nameLine)
    }
    var arguments = TemplateArguments()
    switch token.kind {
    case .mark(.openParenthesis): arguments = try self.arguments()
    case .name("else"), .name("or"), .name("and"), .name("if"): break
    case .name("is"): throw error(expected: "one test", found: "a chain of tests")
    case .name, .string, .integer, .float, .mark(.openBracket), .mark(.openBrace):
      arguments.positional = [try postfix(try primary())]
    default: break
    }
    let expression = try make(.test(base, test, arguments), line: line)
    return isNegated ? try make(.not(expression), line: line) : expression
  }

  private mutating func filterUse() throws(FileError) -> TemplateFilterUse {
    let line = line
    let name = try name()
    guard let filter = TemplateFilter(named: name) ?? (branches > 0 ? .unknown(name) : nil) else {
      throw TemplateFilter.unknown(name, file: file, line: line)
    }
    let arguments = isMark(.openParenthesis) ? try arguments() : TemplateArguments()
    return TemplateFilterUse(filter: filter, arguments: arguments, line: line)
  }

  /// Filters one after the other; with `startsInline` the first has no "|" before it.
  private mutating func filterUses(
    startsInline: Bool
  ) throws(FileError) -> (TemplateFilterUse?, [TemplateFilterUse]) {
    var uses: [TemplateFilterUse] = []
    if startsInline { uses.append(try filterUse()) }
    while skip(.pipe) { uses.append(try filterUse()) }
    return (uses.first, Array(uses.dropFirst()))
  }

  private mutating func arguments() throws(FileError) -> TemplateArguments {
    try expect(.openParenthesis)
    var arguments = TemplateArguments()
    while !isMark(.closeParenthesis) {
      if isMark(.multiply) || isMark(.power) {
        throw error(expected: "arguments one by one")
      }
      if case .name(let name) = token.kind, index + 1 < tokens.count,
        tokens[index + 1].kind == .mark(.assign)
      {
        guard !arguments.named.contains(where: { $0.name == name }) else {
          throw error(expected: "each argument once", found: "\"\(name)\" twice")
        }
        advance()
        advance()
        arguments.named.append((name, try expression()))
      } else {
        guard arguments.named.isEmpty else {
          throw error(expected: "arguments with a name after those without")
        }
        arguments.positional.append(try expression())
      }
      guard skip(.comma) else { break }
    }
    try expect(.closeParenthesis)
    return arguments
  }
}
