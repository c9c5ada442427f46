/// An equation that a text states: `12 * 4 = 46`, `<<48/2=24>>24`, `$3 + $4 = $7`.
public struct StatedEquation: Hashable, Sendable {
  /// What stands on its two sides, as it was read: `12 * 4`, `46`.
  public var left: String
  public var chosen: String
  /// Whether the right side is what the left side comes to, or that rounded or cut to as many
  /// decimals as the right side is written with.
  public var holds: Bool
}

/// The arithmetic that a text states in passing.
///
/// Read are numbers with commas, decimals, currencies, percent signs and scales (`2 million`), units
/// in words between a number and the next sign, `+ - * / x × · ÷`, "times", "plus", "minus",
/// "divided by", "of" after a share (`20% of 50`), parentheses, and chains (`3 + 4 + 5 = 7 + 5 =
/// 12`). What may mean something else is no equation: unknowns (`2x + 3 = 13`), powers, clock times,
/// ratios, ranges, mixed numbers, units to be converted (`1/2 hour = 30 minutes`). Where a text has
/// several readings (a percentage, a dash, `5 + 3 = 8 + 2 = 10`), the equation holds if one of them
/// does.
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
        let sides = sentence.split(separator: .equals, omittingEmptySubsequences: false)
        return zip(sides, sides.dropFirst()).compactMap { equation($0, $1, modulus: modulus) }
      }
    }
  }

  /// The equation between what ends one side and what begins the other; nil where there is none
  /// that can be checked.
  private static func equation(
    _ before: ArraySlice<ArithmeticSymbol>, _ after: ArraySlice<ArithmeticSymbol>, modulus: Int?
  ) -> StatedEquation? {
    guard let left = operation(endingIn: before), let chosen = value(beginning: after),
      ArithmeticReading.value(of: left, .share) != nil
    else { return nil }
    let lefts = [left] + operationsAfterDash(in: left)
    // "5 + 3 = 8 + 2 = 10" says that 5 + 3 is 8.
    let rights = [chosen, chosen.prefix(ArithmeticReading.firstOperand(of: chosen))]
    let holds = ArithmeticReading.Percent.allCases.contains { percent in
      lefts.contains { left in
        rights.contains { chosen in
          guard let a = ArithmeticReading.value(of: left, percent),
            let b = ArithmeticReading.value(of: chosen, percent)
          else { return false }
          return b.isRounded(a) || modulus.map { a.isCongruent(b, modulo: $0) } ?? false
        }
      }
    }
    if !holds, isConversion(left + chosen) || isFractionOfSomething(left) { return nil }
    if !holds, hasRange(left) || hasRange(chosen) { return nil }
    return StatedEquation(
      left: left.map(\.description).joined(separator: " "),
      chosen: chosen.map(\.description).joined(separator: " "), holds: holds)
  }

  /// The longest operation that `symbols` ends in; nil where there is none, or where it is the rest
  /// of something that was not understood.
  private static func operation(endingIn symbols: ArraySlice<ArithmeticSymbol>) -> ArraySlice<
    ArithmeticSymbol
  >? {
    for start in symbols.indices where symbols[start].beginsOperand {
      let rest = symbols[start...]
      guard ArithmeticReading.length(of: rest) == rest.count,
        ArithmeticReading.firstOperand(of: rest) < rest.count
      else { continue }
      guard start > symbols.startIndex else { return rest }
      switch symbols[start - 1] {
      case .word(let word): return changesWhatFollows.contains(word) ? nil : rest
      case .open: return rest
      default: return nil
      }
    }
    return nil
  }

  private static let changesWhatFollows: Set = [
    "of", "half", "twice", "double", "triple", "thrice", "quarter", "third", "times", "plus",
    "minus", "by", "over", "percent", "per", "squared", "cubed", "root",
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
  /// Lower-case.
  case word(String)
  /// What has a meaning that is not read: `^`, `x:y`, `5!`.
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

  var endsOperand: Bool {
    switch self {
    case .number, .close, .word: true
    default: false
    }
  }

  /// The symbols of `text`, sentence by sentence.
  static func sentences(of text: String) -> [ArraySlice<ArithmeticSymbol>] {
    text.split(whereSeparator: \.isNewline).flatMap { line in
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
        if character(1) == "*" {
          // A power between numbers, bold letters elsewhere.
          let isPower = !character(-1).isWhitespace && !character(2).isWhitespace && position > 0
          if isPower, found.last?.endsOperand == true, isDigit(2) || character(2) == "(" {
            found.append(.other)
          }
          position += 2
        } else {
          sign("*")
        }
      case "×", "·", "⋅", "∙": sign("*")
      case "/", "÷": sign("/")
      case "-", "−", "–":
        if character(1) == ">" {
          found.append(.end)
          position += 2
        } else {
          sign("-")
        }
      case "=": equals()
      case "(", "[":
        depth += 1
        append(.open)
      case ")", "]": close()
      case "\\": command()
      case ":": append(isDigit(1) && isDigit(-1) ? .other : .end)
      case "!": append("+-*/×÷=^".contains(next(after: 1)) ? .other : .end)
      case "%", "^", "{", "}", "@", "#", "|", "<", ">", "√", "≈", "~", "°", "²", "³":
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

  /// LaTeX's `\times`, `\(` and so on.
  private mutating func command() {
    position += 1
    let name = String(characters.dropFirst(position).prefix(while: \.isLetter))
    position += name.isEmpty ? 1 : name.count
    switch name {
    case "": break
    case "times", "cdot": found.append(.sign("*", isTight: false))
    case "div": found.append(.sign("/", isTight: false))
    default: found.append(.other)
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
    var isWhole: Bool { number == number.rounded() && abs(number) < 1e15 }

    /// Whether this is `exact`, rounded or cut to the decimals that this is written with.
    func isRounded(_ exact: Value) -> Bool {
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
    case .open:
      position += 1
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
    if isNegative { value.number = -value.number }
    unit()
    return value
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
    let modulus = Self.modulus(in: prompt) ?? ProceduralTask(rawValue: task)?.modulus
    func failing(_ chain: ChainOfThought) -> Set<StatedEquation> {
      Set(StatedArithmetic.equations(in: chain.text, modulus: modulus).filter { !$0.holds })
    }
    return failing(rejected).isSubset(of: failing(chosen)) ? .unknown : .calculation
  }

  /// The number after the last "mod" or "modulo" of a question.
  private static func modulus(in question: String) -> Int? {
    let words = question.lowercased().split { !($0.isLetter || $0.isNumber) }
    return words.indices.dropLast().last { words[$0] == "mod" || words[$0] == "modulo" }
      .flatMap { Int(words[$0 + 1]) }
  }
}
