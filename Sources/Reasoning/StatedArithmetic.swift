import Foundation

/// An equation that a text states: `12 * 4 = 46`, `<<48/2=24>>24`, `$3 + $4 = $7`.
public struct StatedEquation: Hashable, Sendable {
  /// What stands on its two sides, as it was read: `12 * 4`, `46`.
  public var left: String
  public var right: String
  /// Whether the right side is what the left side comes to, or that rounded or cut to as many
  /// decimals as the right side is written with.
  public var holds: Bool
}

/// The arithmetic that a text states in passing.
///
/// Read are numbers with commas, decimals, currencies, percent signs and scales (`2 million`), units
/// in words between a number and the next sign, `+ - * / x × · ÷ ^ !`, LaTeX's `\times`, `\frac` and
/// so on, "times", "plus", "minus", "divided by", "of" after a fraction (`20% of 50`), "equals" and
/// "is", parentheses up to 64 deep, chains (`3 + 4 + 5 = 7 + 5 = 12`), and a number before its
/// calculation (`17 = 12 + 4`). What may mean something else is no equation: unknowns (`2x + 3 = 13`),
/// clock times, ratios, ranges, mixed numbers, units to be converted (`1/2 hour = 30 minutes`). Where
/// a text has several readings (a percentage, a dash, `5 + 3 = 8 + 2 = 10`), the equation holds if one
/// of them does.
public enum StatedArithmetic {
  /// The equations of `text`: those of its lines, then those of its calculator notes (`<<…>>`).
  ///
  /// - Parameter modulus: where given, whole numbers are equal when they leave the same remainder.
  public static func equations(in text: String, modulus: Int? = nil) -> [StatedEquation] {
    var (rest, outside, notes) = (text[...], "", [String]())
    while let open = rest.firstRange(of: "<<"),
      let close = rest[open.upperBound...].firstRange(of: ">>")
    {
      outside += rest[..<open.lowerBound]
      notes.append(String(rest[open.upperBound..<close.lowerBound]))
      rest = rest[close.upperBound...]
    }
    outside += rest
    return ([outside] + notes).flatMap { text in
      ArithmeticSymbol.sentences(of: text).flatMap { sentence in
        let sides = sides(of: sentence)
        return zip(sides, sides.dropFirst()).compactMap { equation($0, $1, modulus: modulus) }
      }
    }
  }

  /// What stands between the equals signs of a sentence. A side that "is" follows ends in it.
  private static func sides(of sentence: ArraySlice<ArithmeticSymbol>) -> [ArraySlice<
    ArithmeticSymbol
  >] {
    var sides: [ArraySlice<ArithmeticSymbol>] = []
    var start = sentence.startIndex
    for index in sentence.indices where sentence[index] == .equals || sentence[index] == .is {
      sides.append(sentence[start..<(sentence[index] == .is ? index + 1 : index)])
      start = index + 1
    }
    return sides + [sentence[start...]]
  }

  /// The equation between what ends one side and what begins the other; nil where there is none
  /// that can be checked.
  private static func equation(
    _ before: ArraySlice<ArithmeticSymbol>, _ after: ArraySlice<ArithmeticSymbol>, modulus: Int?
  ) -> StatedEquation? {
    guard let right = value(beginning: after) else { return nil }
    guard let left = operation(endingIn: before) else {
      return reversedEquation(before, right, modulus: modulus)
    }
    guard ArithmeticReading.value(of: left, .share) != nil else { return nil }
    if before.last == .is, isFraction(left) { return nil }
    let lefts = [left] + operationsAfterDash(in: left)
    // "5 + 3 = 8 + 2 = 10" says that 5 + 3 is 8.
    let rights = [right, right.prefix(ArithmeticReading.firstOperand(of: right))]
    let holds = ArithmeticReading.Percent.allCases.contains { percent in
      lefts.contains { left in
        rights.contains { right in
          guard let a = ArithmeticReading.value(of: left, percent),
            let b = ArithmeticReading.value(of: right, percent)
          else { return false }
          return b.isRounded(a) || modulus.map { a.isCongruent(b, modulo: $0) } ?? false
        }
      }
    }
    if !holds, isConversion(left + right), !isFalseConversion(left, right) { return nil }
    if !holds, isFractionOfSomething(left) { return nil }
    if !holds, hasRange(left) || hasRange(right) { return nil }
    return stated(left, right, holds: holds)
  }

  /// The equation of a number that stands alone before its calculation: `17 = 12 + 4`.
  private static func reversedEquation(
    _ before: ArraySlice<ArithmeticSymbol>, _ right: ArraySlice<ArithmeticSymbol>, modulus: Int?
  ) -> StatedEquation? {
    guard let start = before.indices.last(where: { before[$0].beginsOperand }),
      case let first = start > before.startIndex && before[start - 1].isTightMinus
        ? start - 1 : start,
      case let left = before[first...], ArithmeticReading.length(of: left) == left.count,
      !(left + right).contains(where: \.isPercent), !left.contains(where: \.isWord),
      isOperation(right), !isConversion(right), !hasRange(right)
    else { return nil }
    if first > before.startIndex {
      guard case .word(let word) = before[first - 1], leadsToStatement.contains(word) else {
        return nil
      }
    }
    let readings = ArithmeticReading.Percent.allCases.compactMap { percent in
      ArithmeticReading.value(of: left, percent).flatMap { left in
        ArithmeticReading.value(of: right, percent).map { (left, $0) }
      }
    }
    guard !readings.isEmpty else { return nil }
    let holds = readings.contains { left, right in
      left.isRounded(right) || modulus.map { left.isCongruent(right, modulo: $0) } ?? false
    }
    // "48 = 48 + 24 = 72" repeats the number and goes on.
    let firstRight = right.prefix(ArithmeticReading.firstOperand(of: right))
    if !holds, ArithmeticReading.value(of: firstRight, .share)?.number == readings[0].0.number {
      return nil
    }
    return stated(left, right, holds: holds)
  }

  private static let leadsToStatement: Set = [
    "so", "then", "thus", "therefore", "hence", "that",
  ]

  private static func stated(
    _ left: ArraySlice<ArithmeticSymbol>, _ right: ArraySlice<ArithmeticSymbol>, holds: Bool
  ) -> StatedEquation {
    return StatedEquation(
      left: left.map(\.description).joined(separator: " "),
      right: right.map(\.description).joined(separator: " "), holds: holds)
  }

  /// The longest operation that `symbols` ends in; nil where there is none, or where it is the rest
  /// of something that was not understood.
  private static func operation(endingIn symbols: ArraySlice<ArithmeticSymbol>) -> ArraySlice<
    ArithmeticSymbol
  >? {
    let symbols = symbols.last == .is ? symbols.dropLast() : symbols
    // Longer calculations are not read: the time is proportional to the square of this.
    let first = max(symbols.startIndex, symbols.endIndex - longestSide)
    for start in first..<symbols.endIndex where symbols[start].beginsOperand {
      let rest = symbols[start...]
      guard isOperation(rest) else { continue }
      guard start > symbols.startIndex else { return rest }
      switch symbols[start - 1] {
      case .word(let word):
        let isFunction = symbols[start] == .open && word.count == 1
        return isFunction || changesWhatFollows.contains(word) ? nil : rest
      case .open: return rest
      default: return nil
      }
    }
    return nil
  }

  private static let longestSide = 256

  /// Whether `symbols` are a calculation as a whole, in parentheses or not.
  private static func isOperation(_ symbols: ArraySlice<ArithmeticSymbol>) -> Bool {
    guard ArithmeticReading.length(of: symbols) == symbols.count else { return false }
    if ArithmeticReading.firstOperand(of: symbols) < symbols.count { return true }
    return symbols.indices.dropFirst().contains {
      symbols[$0].isOperator && symbols[$0 - 1].endsOperand
    }
  }

  private static let changesWhatFollows: Set = [
    "of", "half", "twice", "double", "triple", "thrice", "quarter", "third", "times", "plus",
    "minus", "by", "over", "percent", "per", "squared", "cubed", "root",
    "log", "ln", "sin", "cos", "tan", "mod", "gcd", "lcm", "max", "min", "binom", "sum",
  ]

  /// What stands on the right of an equals sign; nil where it goes on with what was not understood.
  private static func value(beginning symbols: ArraySlice<ArithmeticSymbol>) -> ArraySlice<
    ArithmeticSymbol
  >? {
    let length = ArithmeticReading.length(of: symbols)
    guard length > 0 else { return nil }
    let rest = symbols.dropFirst(length)
    switch rest.first {
    case nil, .open, .close: return symbols.prefix(length)
    case .word(let word):
      let isText = word.count > 1 || word == "a"
      return isText && word != "am" && word != "pm" ? symbols.prefix(length) : nil
    case .sign("-", isTight: false):
      // A dash, where words follow.
      guard case .word(let word)? = rest.dropFirst().first, word.count > 1 else { return nil }
      return symbols.prefix(length)
    default: return nil
    }
  }

  /// What of an operation stands after a dash that follows a word, where it may part sentences:
  /// "buys 2 apples - 5 * 3 = 15".
  private static func operationsAfterDash(in operation: ArraySlice<ArithmeticSymbol>)
    -> [ArraySlice<ArithmeticSymbol>]
  {
    operation.indices.dropFirst().compactMap { index in
      guard case .sign("-", isTight: false) = operation[index],
        case .word = operation[index - 1]
      else { return nil }
      let rest = operation[(index + 1)...]
      return ArithmeticReading.firstOperand(of: rest) < rest.count ? rest : nil
    }
  }

  /// Whether two units of one dimension occur, so that numbers are equal that are not the same.
  private static func isConversion(_ symbols: ArraySlice<ArithmeticSymbol>) -> Bool {
    var units: [String: Set<String>] = [:]
    for symbol in symbols {
      var name: String
      switch symbol {
      case .word(let word): name = word
      case .number(_, _, let isCurrency, _) where isCurrency: name = "dollar"
      default: continue
      }
      if dimensions[name] == nil, name.last == "s" { name.removeLast() }
      if let dimension = dimensions[name] { units[dimension, default: []].insert(name) }
    }
    return units.values.contains { $0.count > 1 }
  }

  private static let dimensions: [String: String] = {
    let units = [
      "time": "second sec minute min hour hr day week month year decade century",
      "length": "inch inches foot feet ft yard yd mile meter metre cm mm km centimeter kilometer",
      "mass": "ounce oz pound lb ton gram kg kilogram milligram",
      "volume": "teaspoon tablespoon cup pint quart gallon liter litre ml milliliter",
      "money": "dollar cent penny pennies nickel dime quarter euro",
    ]
    return Dictionary(
      units.flatMap { dimension, names in
        names.split(separator: " ").map { (String($0), dimension) }
      },
      uniquingKeysWith: { first, _ in first })
  }()

  /// Whether units do not explain why a product is not what it is said to be: no factor between them
  /// makes up for it.
  private static func isFalseConversion(
    _ left: ArraySlice<ArithmeticSymbol>, _ right: ArraySlice<ArithmeticSymbol>
  ) -> Bool {
    let isProduct = left.contains {
      $0 == .sign("*", isTight: true) || $0 == .sign("*", isTight: false)
    }
    let isSum = (left + right).contains { symbol in
      if case .sign(let sign, _) = symbol {
        sign == "+" || sign == "-" || sign == "/"
      } else {
        false
      }
    }
    guard isProduct, !isSum, let a = ArithmeticReading.value(of: left, .share)?.number,
      let b = ArithmeticReading.value(of: right, .share)?.number, a > 0, b > 0
    else { return false }
    let ratio = max(a / b, b / a)
    return !conversionFactors.contains { abs(ratio / $0 - 1) < 0.02 }
  }

  private static let conversionFactors: Set<Double> = {
    let single: [Double] = [
      1, 2, 3, 4, 5, 7, 8, 10, 12, 16, 20, 24, 25, 30, 36, 48, 52, 60, 100, 365, 1000,
    ]
    return Set(single.flatMap { a in single.flatMap { b in [a * b, max(a / b, b / a)] } })
  }()

  /// Whether the operation is one number over another, which may be of something: "1/2 is 5 pages".
  private static func isFraction(_ operation: ArraySlice<ArithmeticSymbol>) -> Bool {
    let signs = operation.filter(\.isOperator)
    guard signs.count == 1, case .sign("/", _)? = signs.first else { return false }
    return true
  }

  /// Whether the operation is a bare fraction of what its words name: `1/2 cup`.
  private static func isFractionOfSomething(_ operation: ArraySlice<ArithmeticSymbol>) -> Bool {
    guard operation.count > 3, case .sign("/", isTight: true) = operation[operation.startIndex + 1]
    else { return false }
    return operation.dropFirst(3).allSatisfy { if case .word = $0 { true } else { false } }
  }

  /// Whether a rising range, such as `10-12`, is in it.
  private static func hasRange(_ symbols: ArraySlice<ArithmeticSymbol>) -> Bool {
    symbols.indices.dropFirst().dropLast().contains { index in
      guard case .sign("-", isTight: true) = symbols[index],
        case .number(let low, _, _, _) = symbols[index - 1],
        case .number(let high, _, _, _) = symbols[index + 1]
      else { return false }
      return low < high
    }
  }
}

/// A sign of arithmetic in a text, or what parts it from others.
private enum ArithmeticSymbol: Hashable, CustomStringConvertible {
  /// - unit: that of the last decimal written, 0.01 for `3.50`.
  case number(Double, unit: Double, isCurrency: Bool, isPercent: Bool)
  /// One of `+ - * /`; tight where no space is beside it.
  case sign(Character, isTight: Bool)
  case open, close, equals
  /// "is" or "equals" between a calculation and a number.
  case `is`
  case power
  /// After a whole number from 0 to 20.
  case factorial
  /// Lower-case.
  case word(String)
  /// What has a meaning that is not read: `x^2`, `x:y`, `√`.
  case other
  /// The end of a sentence or of a part of it.
  case end

  var description: String {
    switch self {
    case .number(let value, _, let isCurrency, let isPercent):
      let digits = Int(exactly: value).map(String.init) ?? String(value)
      return (isCurrency ? "$" : "") + digits + (isPercent ? "%" : "")
    case .sign(let sign, _): return String(sign)
    case .open: return "("
    case .close: return ")"
    case .equals: return "="
    case .is: return "is"
    case .power: return "^"
    case .factorial: return "!"
    case .word(let word): return word
    case .other: return "?"
    case .end: return "."
    }
  }

  var beginsOperand: Bool {
    switch self {
    case .number, .open, .sign("-", isTight: true): true
    default: false
    }
  }

  var isOperator: Bool {
    switch self {
    case .sign, .power, .factorial: true
    default: false
    }
  }

  var isTightMinus: Bool { self == .sign("-", isTight: true) }

  var isPercent: Bool { if case .number(_, _, _, true) = self { true } else { false } }

  var isWord: Bool { if case .word = self { true } else { false } }

  var endsOperand: Bool {
    switch self {
    case .number, .close, .word, .factorial: true
    default: false
    }
  }

  /// The symbols of `text`, sentence by sentence.
  static func sentences(of text: String) -> [ArraySlice<ArithmeticSymbol>] {
    AnswerText(text).characters.split(whereSeparator: \.isNewline).flatMap { line in
      var lexer = ArithmeticLexer(Array(line))
      return lexer.symbols().split(separator: .end)
    }
  }
}

/// Cuts a line into symbols.
private struct ArithmeticLexer {
  private let characters: [Character]
  private var position = 0
  private var found: [ArithmeticSymbol] = []
  /// Parentheses that are open.
  private var depth = 0

  init(_ characters: [Character]) { self.characters = characters }

  private func character(_ offset: Int = 0) -> Character {
    let index = position + offset
    return characters.indices.contains(index) ? characters[index] : " "
  }

  private func isDigit(_ offset: Int = 0) -> Bool { ("0"..."9").contains(character(offset)) }

  /// The first character from `offset` on that is no space.
  private func next(after offset: Int) -> Character {
    characters.dropFirst(position + offset).first { !$0.isWhitespace } ?? " "
  }

  private static let currencies: Set<Character> = ["$", "€", "£", "¥"]
  private static let scales = [
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12,
  ]

  mutating func symbols() -> [ArithmeticSymbol] {
    while position < characters.count {
      switch character() {
      case _ where isDigit() || character() == "." && isDigit(1): number()
      case let letter where letter.isLetter: word()
      case "+": sign("+")
      case "*":
        sign("*")
      case "^": power()
      case "×": sign("*")
      case "/": sign("/")
      case "-":
        if character(1) == ">" {
          found.append(.end)
          position += 2
        } else {
          sign("-")
        }
      case "=": equals()
      case "(", "[", AnswerText.Mark.fractionStart:
        depth += 1
        append(.open)
      case ")", "]", AnswerText.Mark.fractionEnd: close()
      case AnswerText.Mark.boxStart, AnswerText.Mark.boxEnd: position += 1
      case ":": append(isDigit(1) && isDigit(-1) ? .other : .end)
      case "!": exclamation()
      case "%", "{", "}", "@", "#", "|", "<", ">", "√", "≈", "~", "°", "²", "³":
        append(.other)
      case let space
      where space.isWhitespace || Self.currencies.contains(space) || "'’_".contains(space):
        position += 1
      default: append(.end)
      }
    }
    return found
  }

  private mutating func append(_ symbol: ArithmeticSymbol) {
    found.append(symbol)
    position += 1
  }

  private mutating func sign(_ sign: Character) {
    let isTight = !character(1).isWhitespace
    // A bullet at the start of a line or sentence.
    let isBullet = !isTight && (found.last == nil || found.last == .end)
    // A negative number is tight on its right alone.
    let isOperator = found.last?.endsOperand == true
    append(
      isBullet
        ? .end : .sign(sign, isTight: isTight && (!isOperator || !character(-1).isWhitespace)))
  }

  private mutating func equals() {
    let isComparison = "=>".contains(character(1)) || "<>!=≠".contains(character(-1))
    append(isComparison ? .other : .equals)
  }

  private mutating func close() {
    if depth > 0 {
      depth -= 1
      append(.close)
    } else {
      // "1) 5 * 3": what is before it numbers what follows.
      append(.end)
    }
  }

  /// A power of a number; that of a unit ("cm^2") belongs to the unit.
  private mutating func power() {
    switch found.last {
    case .number, .close: append(.power)
    case .word(let word) where word.count > 1 && isDigit(1): position += 2
    default: append(.other)
    }
  }

  /// A factorial before a sign, else the end of a sentence.
  private mutating func exclamation() {
    guard "+-*/×=^)".contains(next(after: 1)) else { return append(.end) }
    if case .number(let value, _, false, false)? = found.last, value == value.rounded(),
      (0...20).contains(value)
    {
      append(.factorial)
    } else {
      append(.other)
    }
  }

  private mutating func number() {
    var digits = ""
    let isCurrency =
      Self.currencies.contains(character(-1))
      || character(-1) == " " && Self.currencies.contains(character(-2))
    while isDigit() || character() == "," && isDigit(1) && isDigit(2) && isDigit(3) && !isDigit(4) {
      if isDigit() { digits.append(character()) }
      position += 1
    }
    var unit = 1.0
    if character() == ".", isDigit(1) {
      digits.append(".")
      position += 1
      while isDigit() {
        digits.append(character())
        unit /= 10
        position += 1
      }
    }
    let isPercent = character() == "%" || character() == " " && character(1) == "%"
    if isPercent { position += character() == "%" ? 1 : 2 }
    let value = Double(digits.first == "." ? "0" + digits : digits) ?? .nan
    found.append(
      .number(
        value, unit: unit, isCurrency: isCurrency || Self.currencies.contains(character()),
        isPercent: isPercent))
  }

  private mutating func word() {
    let start = position
    // "5x3": a sign between two numbers.
    if character().lowercased() == "x", found.last?.endsOperand == true,
      !character(1).isLetter, "0123456789.$€£(".contains(next(after: 1))
    {
      append(.sign("*", isTight: false))
      return
    }
    while character().isLetter
      || "-'’".contains(character()) && character(1).isLetter && position > start
    {
      position += 1
    }
    let word = String(characters[start..<position]).lowercased()
    let leadsToNumber = "0123456789.$€£(".contains(next(after: 0))
    switch (word, found.last) {
    case ("equals", _) where leadsToNumber || next(after: 0) == "-": found.append(.is)
    case ("to", .word("equal")) where leadsToNumber || next(after: 0) == "-":
      found.removeLast()
      if case .is? = found.last { found.removeLast() }
      if case .word("is")? = found.last { found.removeLast() }
      found.append(.is)
    case ("is", _) where leadsToNumber && found.last?.endsOperand == true: found.append(.is)
    case ("times", _) where leadsToNumber: found.append(.sign("*", isTight: false))
    case ("plus", _) where leadsToNumber: found.append(.sign("+", isTight: false))
    case ("minus", _) where leadsToNumber: found.append(.sign("-", isTight: false))
    case ("by", .word("divided")) where leadsToNumber:
      found[found.count - 1] = .sign("/", isTight: false)
    case ("by", .word("multiplied")) where leadsToNumber:
      found[found.count - 1] = .sign("*", isTight: false)
    case (_, .number(let value, let unit, let isCurrency, let isPercent)):
      guard let scale = Self.scales[word] else { fallthrough }
      found[found.count - 1] = .number(
        value * scale, unit: unit * scale, isCurrency: isCurrency, isPercent: isPercent)
    default: found.append(.word(word))
    }
  }
}

/// Reads symbols as an expression: products before sums, both from the left.
private struct ArithmeticReading {
  /// What a percentage is: a share, the number before its sign, or a share of what it is added to
  /// or taken from.
  enum Percent: CaseIterable { case share, number, relative }

  /// A number with what is known of its precision.
  struct Value {
    var number: Double
    /// One in the last decimal that is written.
    var unit: Double
    var isPercent = false
    /// Whether it is the result of a calculation.
    var isCalculated = false
    var isWhole: Bool { number == number.rounded() && abs(number) < 1e15 }

    /// Whether this is `exact`, rounded or cut to the decimals that this is written with.
    func isRounded(_ exact: Value) -> Bool {
      // A calculation with whole numbers is not rounded.
      let unit = isCalculated && self.unit >= 1 ? 1e-6 * max(1, abs(number)) : self.unit
      let rest = number < 0 ? number - exact.number : exact.number - number
      return -0.5 * unit * (1 + 1e-9) <= rest && rest < unit * (1 - 1e-9)
    }

    func isCongruent(_ other: Value, modulo modulus: Int) -> Bool {
      guard isWhole, other.isWhole, modulus > 0 else { return false }
      return (number - other.number).truncatingRemainder(dividingBy: Double(modulus)) == 0
    }
  }

  private let symbols: ArraySlice<ArithmeticSymbol>
  private var position: Int
  private let percent: Percent
  /// How many parentheses are open around `position`.
  private var depth = 0

  private static let greatestDepth = 64

  private init(_ symbols: ArraySlice<ArithmeticSymbol>, _ percent: Percent) {
    self.symbols = symbols
    position = symbols.startIndex
    self.percent = percent
  }

  /// What `symbols`, an expression as a whole, come to.
  static func value(of symbols: ArraySlice<ArithmeticSymbol>, _ percent: Percent) -> Value? {
    var reading = ArithmeticReading(symbols, percent)
    guard let value = reading.sum(), value.number.isFinite else { return nil }
    return value
  }

  /// How many symbols from the start on make an expression; 0 where none do.
  static func length(of symbols: ArraySlice<ArithmeticSymbol>) -> Int {
    var reading = ArithmeticReading(symbols, .share)
    return reading.sum() == nil ? 0 : reading.position - symbols.startIndex
  }

  /// How many symbols the first operand has, with its unit.
  static func firstOperand(of symbols: ArraySlice<ArithmeticSymbol>) -> Int {
    var reading = ArithmeticReading(symbols, .share)
    return reading.operand() == nil ? 0 : reading.position - symbols.startIndex
  }

  private var current: ArithmeticSymbol? {
    symbols.indices.contains(position) ? symbols[position] : nil
  }

  private mutating func sum() -> Value? {
    guard var value = product() else { return nil }
    while case .sign(let sign, _)? = current, sign == "+" || sign == "-" {
      let start = position
      position += 1
      guard var term = product() else {
        position = start
        break
      }
      if percent == .relative, term.isPercent, !value.isPercent { term.number *= value.number }
      value.number += sign == "+" ? term.number : -term.number
      value.unit = min(value.unit, term.unit)
      value.isPercent = value.isPercent && term.isPercent
      value.isCalculated = true
    }
    return value
  }

  private mutating func product() -> Value? {
    guard var value = operand() else { return nil }
    while true {
      let start = position
      let isShare = value.isPercent || abs(value.number) < 1
      switch current {
      case .sign(let sign, _) where sign == "*" || sign == "/":
        position += 1
        guard let factor = operand() else {
          position = start
          return value
        }
        value.number = sign == "*" ? value.number * factor.number : value.number / factor.number
        value.unit = min(value.unit, factor.unit)
      case .word("of") where isShare:
        position += 1
        guard let factor = operand() else {
          position = start
          return value
        }
        value.number *= factor.number
        value.unit = min(value.unit, factor.unit)
      default: return value
      }
      value.isPercent = false
      value.isCalculated = true
    }
  }

  /// A number or what is in parentheses, with its sign before and its unit after it.
  private mutating func operand() -> Value? {
    let start = position
    var isNegative = false
    if case .sign("-", isTight: true)? = current {
      isNegative = true
      position += 1
    }
    var value: Value
    switch current {
    case .number(let number, let unit, _, let isPercent):
      position += 1
      let isShare = isPercent && percent != .number
      value = Value(
        number: isShare ? number / 100 : number, unit: isShare ? unit / 100 : unit,
        isPercent: isPercent)
      if let factorial = factorial(of: number) {
        value.number = factorial
        value.isCalculated = true
      }
    case .open:
      guard depth < Self.greatestDepth else {
        position = start
        return nil
      }
      position += 1
      depth += 1
      defer { depth -= 1 }
      guard let inner = sum(), current == .close else {
        position = start
        return nil
      }
      position += 1
      value = inner
    default:
      position = start
      return nil
    }
    if case .power? = current {
      let sign = position
      position += 1
      // -3^2 is -9; the exponent is a number or in parentheses.
      if let exponent = operandWithoutPower() {
        value.number = pow(value.number, exponent)
        value.isPercent = false
      } else {
        position = sign
      }
    }
    if isNegative { value.number = -value.number }
    unit()
    return value
  }

  private mutating func operandWithoutPower() -> Double? {
    switch current {
    case .number(let number, _, false, false):
      position += 1
      return factorial(of: number) ?? number
    case .open:
      return operand()?.number
    default: return nil
    }
  }

  /// number!, where the sign follows.
  private mutating func factorial(of number: Double) -> Double? {
    guard current == .factorial else { return nil }
    position += 1
    return (1...20).prefix(Int(number)).map(Double.init).reduce(1, *)
  }

  /// Up to five words that say what is counted. A single letter is an unknown.
  private mutating func unit() {
    let end = min(position + 5, symbols.endIndex)
    let first = position
    while position < end, case .word(let word)? = current, word.count > 1 || word == "a",
      !Self.endsUnit.contains(word), word != "of" || position > first
    {
      position += 1
    }
  }

  private static let endsUnit: Set = [
    "and", "or", "so", "then", "is", "are", "was", "were", "which", "that", "because", "but", "if",
    "than", "from", "since", "where", "when", "while", "am", "pm",
  ]
}

extension DualChainOfThought {
  /// The kind of mistake that can be told from the text: calculation where the wrong chain states an
  /// equation that does not hold and that the right one does not state as well, else unknown.
  ///
  /// The modulus is the one that the question names (`mod 7`), or that of its procedural task.
  public var guessedMistake: Mistake.Kind {
    let modulus =
      StatedArithmetic.modulus(namedIn: prompt) ?? ProceduralTask(rawValue: task)?.modulus
    func failing(_ chain: ChainOfThought) -> Set<StatedEquation> {
      Set(StatedArithmetic.equations(in: chain.text, modulus: modulus).filter { !$0.holds })
    }
    return failing(rejected).isSubset(of: failing(chosen)) ? .unknown : .calculation
  }
}

extension StatedArithmetic {
  /// The number after the last "mod" or "modulo" of a question; nil where it names none.
  static func modulus(namedIn question: String) -> Int? {
    let words = question.lowercased().split { !($0.isLetter || $0.isNumber) }
    return words.indices.dropLast().last { words[$0] == "mod" || words[$0] == "modulo" }
      .flatMap { Int(words[$0 + 1]) }
  }
}
