/// A question of BIG-Bench Hard's multistep arithmetic: an expression of whole numbers, and `=`.
struct MultistepArithmetic {
  private let value: Int

  /// Nil where `question` has another form.
  init?(_ question: String) {
    guard question.hasSuffix("="), let value = IntegerExpression(question.dropLast())?.value else {
      return nil
    }
    self.value = value
  }

  /// The steps with their values put right: the parts that a chain names are those of its first step,
  /// "where A = (…), B = (…)".
  func correcting(_ steps: [String]) -> [String]? {
    guard let start = steps.first else { return nil }
    var parts: [String: IntegerExpression] = [:]
    let named = start.matches(of: /\b([A-Z]) = ([-+*() 0-9]+)/)
    for match in named { parts[String(match.1)] = IntegerExpression(match.2) }
    guard !parts.isEmpty, parts.count == named.count else { return nil }
    var corrected = steps
    for step in 1..<steps.count {
      let text = steps[step]
      if let match = text.wholeMatch(of: /(Let's calculate ([A-Z]) = )(.+?)(\.?)/),
        let value = parts[String(match.2)]?.value
      {
        corrected[step] = match.1 + Self.chain(match.3, value) + match.4
      } else if let match = text.wholeMatch(
        of: /(Then, the final equation is )([^=]+) = (.+?)\. So the answer is (.+)/),
        let first = Self.substituted(match.2, parts)
      {
        guard IntegerExpression(first[...])?.value == value else { return nil }
        let sides = match.3.split(separator: " = ") + [match.4]
        if !sides.contains(where: { Self.isOther($0, than: value) }) { continue }
        corrected[step] =
          "\(match.1)\(match.2) = \(IntegerExpression.reductions(of: first).joined(separator: " = "))"
          + ". So the answer is \(value)"
      } else {
        return nil
      }
    }
    return corrected
  }

  /// Whether `side` is an expression with another value.
  private static func isOther(_ side: Substring, than value: Int) -> Bool {
    IntegerExpression(side).map { $0.value != value } ?? false
  }

  /// The sides of an equation as they are where none has another value than `value`; else those that have it, and at the
  /// end it, as the last side writes it.
  private static func chain(_ text: Substring, _ value: Int) -> String {
    let sides = text.split(separator: " = ")
    guard sides.contains(where: { isOther($0, than: value) }) else { return String(text) }
    var kept = sides.dropLast().filter { IntegerExpression($0)?.value == value }
    if kept.isEmpty, let first = sides.first { kept = [first] }
    let isBracketed = sides.last?.hasPrefix("(") == true
    return (kept.map(String.init) + [isBracketed ? "(\(value))" : "\(value)"])
      .joined(separator: " = ")
  }

  /// An expression of the parts' names with their values, negative ones in brackets where they do not come first.
  private static func substituted(_ text: Substring, _ parts: [String: IntegerExpression])
    -> String?
  {
    var result = ""
    for character in text {
      guard character.isLetter else {
        result.append(character)
        continue
      }
      guard let value = parts[String(character)]?.value else { return nil }
      let isFirst = result.isEmpty || result.last == "("
      result += value < 0 && !isFirst ? "(\(value))" : "\(value)"
    }
    return result
  }
}

/// An expression of whole numbers with `+`, `-`, `*` and brackets, read by the usual precedence.
struct IntegerExpression {
  let value: Int

  /// Nil where `text` is no such expression, or a number in it does not fit an `Int`.
  init?(_ text: Substring) {
    var reader = Reader(symbols: text.filter { $0 != " " }[...])
    guard let value = reader.sum(depth: 0), reader.symbols.isEmpty else { return nil }
    self.value = value
  }

  /// `text`, and what it becomes as its innermost brackets are worked out, down to its value.
  static func reductions(of text: String) -> [String] {
    // Brackets around an operation, which may be on negative numbers in brackets.
    let innermost = /\(((?:[^()]|\(-\d+\))*[-+*] (?:[^()]|\(-\d+\))*)\)/
    var all = [text]
    while let last = all.last, let match = last.firstMatch(of: innermost) {
      guard let value = IntegerExpression(match.1)?.value else { break }
      let isFirst = match.0.startIndex == last.startIndex
      all.append(
        last.replacingCharacters(
          in: match.0.startIndex..<match.0.endIndex,
          with: value < 0 && !isFirst ? "(\(value))" : "\(value)"))
    }
    if let value = IntegerExpression(text[...])?.value, all.last != "\(value)" {
      all.append("\(value)")
    }
    return all
  }

  private struct Reader {
    var symbols: Substring

    /// As deep as brackets may be.
    private static let deepest = 64

    private mutating func take(_ symbol: Character) -> Bool {
      guard symbols.first == symbol else { return false }
      symbols.removeFirst()
      return true
    }

    mutating func sum(depth: Int) -> Int? {
      guard var total = product(depth: depth) else { return nil }
      while true {
        let isSum = take("+")
        guard isSum || take("-") else { return total }
        guard let next = product(depth: depth) else { return nil }
        let (sum, overflow) =
          isSum ? total.addingReportingOverflow(next) : total.subtractingReportingOverflow(next)
        if overflow { return nil }
        total = sum
      }
    }

    private mutating func product(depth: Int) -> Int? {
      guard var total = factor(depth: depth) else { return nil }
      while take("*") {
        guard let next = factor(depth: depth) else { return nil }
        let (product, overflow) = total.multipliedReportingOverflow(by: next)
        if overflow { return nil }
        total = product
      }
      return total
    }

    private mutating func factor(depth: Int) -> Int? {
      guard depth < Self.deepest else { return nil }
      if take("-") { return factor(depth: depth + 1).map { -$0 } }
      if take("(") {
        guard let value = sum(depth: depth + 1), take(")") else { return nil }
        return value
      }
      let digits = symbols.prefix(while: \.isWholeNumber)
      symbols.removeFirst(digits.count)
      return Int(digits)
    }
  }
}
