import Foundation

/// The number that an answer states.
struct AnswerNumber: Hashable {
  /// The numbers it can mean: one mostly, several with units (`75 cents` is 75 and 0.75).
  var values: [Double]
  /// The digits of a whole number written out, without grouping and leading zeros, so that long
  /// numbers are compared exactly.
  var digits: String?
  var isPercent = false
  /// The decimals of a number written as `0.333`; nil for other expressions.
  var decimals: Int?

  var description: String {
    if let digits { return digits }
    guard let value = values.first else { return "" }
    if value == value.rounded(), abs(value) < 1e15 { return String(Int(value)) }
    return String(value)
  }

  /// Whether this is the number `gold`: equal up to 1e-9 of it, a percentage or its hundredth; or,
  /// where `gold` is no decimal (1/3, 2√5), equal when rounded to at least three significant digits.
  func matches(_ gold: AnswerNumber) -> Bool {
    if let digits, let other = gold.digits { return digits == other }
    return values.contains { value in
      gold.values.contains { wanted in
        if isClose(value, wanted) { return true }
        if isPercent != gold.isPercent {
          let isHundredth = isPercent ? isClose(value, 100 * wanted) : isClose(100 * value, wanted)
          if isHundredth { return true }
        }
        guard gold.decimals == nil, let decimals, decimals >= 2 else { return false }
        let unit = pow(10, -Double(decimals))
        return abs(value) >= 100 * unit && abs(value - wanted) <= 0.5 * unit * (1 + 1e-9)
      }
    }
  }

  private func isClose(_ a: Double, _ b: Double) -> Bool {
    abs(a - b) <= 1e-9 * max(abs(a), abs(b)) || abs(a - b) < 1e-12
  }
}

/// What stands where a number was looked for.
struct NumberReading {
  /// nil for what only begins with digits: a time, a date, a range, `3x + 5`, `3 or 4`.
  var number: AnswerNumber?
  var end: Int
  /// Whether it is one number, without an operator.
  var isLiteral: Bool
}

extension AnswerText {
  /// Whether a number can start at `index`: not inside a word or another number.
  func canStartNumber(at index: Int, before end: Int) -> Bool {
    let previous = index > 0 ? characters[index - 1] : " "
    let next = character(index + 1)
    switch characters[index] {
    case "0"..."9": return !(previous.isLetter && previous.isASCII)
    case ".": return ("0"..."9").contains(next) && !previous.isNumber
    case "-", "+":
      guard !previous.isNumber, !previous.isLetter, previous != ")" else { return false }
      return ("0"..."9").contains(next) || "$€£¥₹.√π(\(Mark.fractionStart)".contains(next)
    case "√", "π", "(", Mark.fractionStart: return true
    default: return false
    }
  }

  /// The number, or what resembles one, that starts at `start`; nil where nothing does.
  ///
  /// - Parameter readsWords: whether `seven` is a number too.
  func number(at start: Int, before end: Int, readsWords: Bool) -> NumberReading? {
    var parser = NumberParser(text: self, position: start, end: end, readsWords: readsWords)
    guard let value = parser.sum() else {
      return parser.isSomethingElse ? NumberReading(end: parser.position, isLiteral: false) : nil
    }
    var reading = NumberReading(
      number: AnswerNumber(
        values: [value], digits: parser.operators == 0 ? parser.digits : nil,
        isPercent: parser.isPercent, decimals: parser.operators == 0 ? parser.decimals : nil),
      end: parser.position, isLiteral: parser.operators == 0)
    if parser.isSomethingElse || !value.isFinite {
      reading.number = nil
      return reading
    }
    unit(of: &reading, before: end)
    return reading
  }

  /// Reads on after a number: its unit, and what shows that it is only a part of the answer.
  private func unit(of reading: inout NumberReading, before end: Int) {
    guard let value = reading.number?.values.first else { return }
    var position = reading.end
    let isTight = position < end && characters[position] != " "
    // "12th", "12^(th)", "90°", "15 cm^2".
    for suffix in Self.suffixes where hasPhrase(suffix, at: position) {
      if suffix.last?.isLetter == true, character(position + suffix.count).isLetter { continue }
      position += suffix.count
      reading.end = position
      break
    }
    position = skippingClosers(from: position, before: end)
    if character(position) == "/" || character(position) == "^" && isTight {
      // Per something, or a power that is not a number.
      if character(position) == "^" { reading.number = nil }
      return
    }
    let symbol = character(position)
    if symbol == "±" || symbol == ":" && character(position + 1).isNumber {
      reading.number = nil
      reading.end = position + 1
      return
    }
    if isTight, symbol == "(" || symbol == "√" || symbol == "π" {
      reading.number = nil
      return
    }
    if let unit = word(at: position, before: end), unit.text != "and", unit.text != "or" {
      if Self.unknowns.contains(unit.text), isTight || followsAsUnknown(unit.end, before: end) {
        reading.number = nil
        return
      }
      if Self.dayHalves.contains(unit.text) || hasPhrase(Array("a.m"), at: position)
        || hasPhrase(Array("p.m"), at: position)
      {
        reading.number = nil
        reading.end = unit.end
        return
      }
      compound(of: &reading, value: value, unit: unit, before: end)
      if reading.number?.values.count ?? 0 > 1 { return }
    } else {
      compound(of: &reading, value: value, unit: nil, before: end)
    }
    if isOneOfSeveral(after: reading.end, first: value, before: end) { reading.number = nil }
  }

  private func skippingClosers(from index: Int, before end: Int) -> Int {
    var index = index
    while index < end, " \t$€£¥₹*_\"'\(Mark.boxEnd)".contains(characters[index]) { index += 1 }
    return index
  }

  /// Whether a letter after a number is followed by what makes it an unknown: `3 x + 5`.
  private func followsAsUnknown(_ index: Int, before end: Int) -> Bool {
    let next = skippingSpace(from: index, before: end)
    return next < end && "+-=^*/".contains(characters[next])
  }

  private static let suffixes = [
    "^(th)", "^(st)", "^(nd)", "^(rd)", "th", "st", "nd", "rd", "^(°)", "^°", "°",
  ]
  .map(Array.init)
  private static let unknowns = Set("abcnpqrtuvwxyzi".map(String.init))
  private static let dayHalves: Set = ["am", "pm"]

  /// `5 dollars and 25 cents`, `2 hours 30 minutes`, `75 cents`: the value in the larger unit and in
  /// the smaller one.
  private func compound(
    of reading: inout NumberReading, value: Double, unit: (text: String, end: Int)?, before end: Int
  ) {
    let hasCurrency = unit.map { Self.dollars.contains($0.text) } ?? true
    if let unit, let scale = Self.parts[unit.text], scale.whole == "dollar" {
      reading.number?.values.append(value / scale.count)
      reading.number?.digits = nil
      return
    }
    guard unit != nil || hasCurrency else { return }
    var position = skippingClosers(from: unit?.end ?? reading.end, before: end)
    if character(position) == "," { position = skippingSpace(from: position + 1, before: end) }
    var hasAnd = false
    if let and = word(at: position, before: end), and.text == "and" {
      hasAnd = true
      position = skippingSpace(from: and.end, before: end)
    }
    guard unit != nil || hasAnd, position < end, characters[position].isNumber else { return }
    var parser = NumberParser(text: self, position: position, end: end, readsWords: false)
    guard let second = parser.literal(), !parser.isSomethingElse else { return }
    let after = skippingSpace(from: parser.position, before: end)
    guard let part = word(at: after, before: end), let scale = Self.parts[part.text],
      unit.map({ scale.wholes.contains($0.text) }) ?? (scale.whole == "dollar")
    else { return }
    let total = value * scale.count + second
    reading.number = AnswerNumber(values: [total / scale.count, total])
    reading.end = part.end
  }

  private static let dollars: Set = [
    "dollar", "dollars", "euro", "euros", "pound", "pounds", "usd",
  ]

  private static let parts: [String: (whole: String, wholes: Set<String>, count: Double)] = {
    var parts: [String: (whole: String, wholes: Set<String>, count: Double)] = [:]
    for (whole, wholes, names, count) in [
      ("dollar", "dollar dollars euro euros usd", "cent cents", 100.0),
      ("pound", "pound pounds", "pence penny", 100),
      ("hour", "hour hours hr hrs h", "minute minutes min mins", 60),
      ("minute", "minute minutes min mins", "second seconds sec secs", 60),
      ("foot", "foot feet ft", "inch inches in", 12), ("year", "year years", "month months", 12),
      ("week", "week weeks", "day days", 7), ("day", "day days", "hour hours", 24),
      ("pound", "pound pounds lb lbs", "ounce ounces oz", 16),
      ("meter", "meter meters metre metres m", "centimeter centimeters cm", 100),
      ("kilogram", "kilogram kilograms kg", "gram grams g", 1000),
    ] {
      let wholes = Set(wholes.split(separator: " ").map(String.init))
      for name in names.split(separator: " ").map(String.init) where parts[name] == nil {
        parts[name] = (whole, wholes, count)
      }
    }
    return parts
  }()

  /// Whether what follows a number makes it one of several or the start of a range: `3 or 4`,
  /// `3, 4`, `3 to 5`, `3 apples or 4`.
  private func isOneOfSeveral(after index: Int, first: Double, before end: Int) -> Bool {
    var position = skippingClosers(from: index, before: end)
    var isJoined = false
    for _ in 0..<2 where !isJoined {
      if character(position) == "," {
        isJoined = true
        position = skippingClosers(from: position + 1, before: end)
        if let word = word(at: position, before: end), word.text == "or" || word.text == "and" {
          position = skippingClosers(from: word.end, before: end)
        }
      } else {
        guard let word = word(at: position, before: end) else { return false }
        position = skippingClosers(from: word.end, before: end)
        isJoined = ["or", "and", "to"].contains(word.text)
      }
    }
    guard isJoined, position < end, characters[position].isNumber else { return false }
    var parser = NumberParser(text: self, position: position, end: end, readsWords: false)
    guard parser.sum() != nil else { return false }
    // "3, 12 * 4 = 48" goes on with another statement.
    let next = skippingSpace(from: parser.position, before: end)
    if parser.operators > 0 || character(next) == "=" { return false }
    guard let before = word(before: position, after: index) else { return true }
    // "12 and 3 friends" joins statements; "3 or 4" and "3 to 5" do not.
    return before.text != "and" || word(at: next, before: end) == nil
  }
}

/// Evaluates the expression at a position: numbers in digits or words, fractions, mixed numbers,
/// powers, roots, π, products and sums.
struct NumberParser {
  let text: AnswerText
  var position: Int
  let end: Int
  let readsWords: Bool
  private(set) var operators = 0
  /// See `AnswerNumber`; those of the number read last.
  private(set) var digits: String?
  private(set) var decimals: Int?
  private(set) var isPercent = false
  /// Whether it turned out to be a time, a date, a range or an expression with unknowns.
  private(set) var isSomethingElse = false
  private var depth = 0
  /// Slashes and hyphens right between digits: two of them make a date.
  private var divisions = 0
  private var hyphens = 0

  /// Parentheses deeper than this are not read.
  private static let greatestDepth = 32

  init(text: AnswerText, position: Int, end: Int, readsWords: Bool) {
    self.text = text
    self.position = position
    self.end = end
    self.readsWords = readsWords
  }

  private func character(_ offset: Int = 0) -> Character {
    position + offset < end ? text.characters[position + offset] : "\n"
  }

  private func isDigit(_ offset: Int = 0) -> Bool { ("0"..."9").contains(character(offset)) }

  private mutating func skipSpace() { position = text.skippingSpace(from: position, before: end) }

  mutating func sum() -> Double? {
    guard depth < Self.greatestDepth else { return nil }
    depth += 1
    defer { depth -= 1 }
    guard var value = product() else { return nil }
    while true {
      let start = position
      let literal = operators == 0
      skipToOperator()
      let sign = character()
      let isTight =
        position == start && !(position + 1 < end && text.characters[position + 1] == " ")
      guard sign == "+" || sign == "-", !(sign == "-" && character(1) == ">") else {
        position = start
        return value
      }
      position += 1
      skipSpace()
      guard character() != "-" || isDigit(1) || character(1) == "(", let term = product() else {
        position = start
        return value
      }
      if sign == "-", literal, operators == 0, value < term, value >= 0, !isFollowedByEquals() {
        // "3-5 days", "2020-05-23".
        isSomethingElse = true
      }
      if sign == "-", isTight {
        hyphens += 1
        if hyphens > 1, depth == 1, !isFollowedByEquals() { isSomethingElse = true }
      }
      operators += 1
      value += sign == "+" ? term : -term
      isPercent = false
    }
  }

  private func isFollowedByEquals() -> Bool {
    var index = text.skippingSpace(from: position, before: end)
    if let word = text.word(at: index, before: end) {
      index = text.skippingSpace(from: word.end, before: end)
    }
    return index < end && "=+*×/)".contains(text.characters[index])
  }

  /// Steps over spaces and, where an operator and an operand follow, a unit of up to three words.
  private mutating func skipToOperator() {
    let start = position
    skipSpace()
    var index = position
    for _ in 0..<3 {
      guard let word = text.word(at: index, before: end), word.text != "x",
        !Self.endsUnit.contains(word.text)
      else { break }
      index = text.skippingSpace(from: word.end, before: end)
    }
    guard index > position, index < end, text.characters[index - 1] == " ",
      "+-*×/x".contains(text.characters[index]), text.character(index + 1) == " "
    else { return }
    let operand = text.skippingSpace(from: index + 1, before: end)
    guard operand < end,
      text.characters[operand].isNumber || "($".contains(text.characters[operand])
    else { return }
    position = index
    if position == start { position = start }
  }

  private static let endsUnit: Set = [
    "and", "or", "so", "then", "since", "because", "which", "that", "is", "are", "as", "not", "to",
  ]

  private mutating func product() -> Double? {
    guard var value = power() else { return nil }
    while true {
      let start = position
      skipToOperator()
      var sign = character()
      if sign == "x" || sign == "X" {
        let next = text.skippingSpace(from: position + 1, before: end)
        let isOperator =
          next < end && (text.characters[next].isNumber || text.characters[next] == "(")
        sign = isOperator ? "*" : " "
      }
      guard "*×/".contains(sign) else {
        position = start
        return value
      }
      let isTight = position == start
      position += 1
      if sign == "/", isTight, isDigit() { divisions += 1 }
      skipSpace()
      skipCurrency()
      guard let factor = power() else {
        position = start
        return value
      }
      if divisions > 1, depth == 1, !isFollowedByEquals() { isSomethingElse = true }
      operators += 1
      value = sign == "/" ? value / factor : value * factor
      isPercent = false
    }
  }

  private mutating func power() -> Double? {
    guard depth < Self.greatestDepth else { return nil }
    depth += 1
    defer { depth -= 1 }
    guard var base = signed() else { return nil }
    // 2√5, 3π, 2(3 + 4).
    while true {
      guard
        "√π".contains(character())
          || character() == "(" && position > 0
            && (text.characters[position - 1].isNumber || text.characters[position - 1] == ")")
      else { break }
      let start = position
      guard let factor = atom() else {
        position = start
        break
      }
      operators += 1
      base *= factor
    }
    guard character() == "^", let exponent = exponent() else { return base }
    operators += 1
    return pow(base, exponent)
  }

  private mutating func exponent() -> Double? {
    let start = position
    position += 1
    guard isDigit() || "-(+".contains(character()), let exponent = power() else {
      position = start
      return nil
    }
    return exponent
  }

  private mutating func signed() -> Double? {
    let start = position
    var isNegative = false
    var signs = 0
    while signs < 4 {
      skipCurrency()
      if character() == "-" || character() == "+" {
        if character() == "-" { isNegative.toggle() }
        position += 1
        if signs == 0 { skipSpace() }
      } else if let word = text.word(at: position, before: end),
        ["negative", "minus"].contains(word.text)
      {
        isNegative.toggle()
        position = text.skippingSpace(from: word.end, before: end)
      } else {
        break
      }
      signs += 1
    }
    guard let value = atom() else {
      position = start
      return nil
    }
    if isNegative, let digits, digits != "0" { self.digits = "-\(digits)" }
    if isNegative { return -value }
    return value
  }

  private mutating func skipCurrency() {
    let start = position
    while "$€£¥₹".contains(character()) { position += 1 }
    if position > start { skipSpace() }
  }

  private mutating func atom() -> Double? {
    guard depth < Self.greatestDepth else { return nil }
    depth += 1
    defer { depth -= 1 }
    let start = position
    switch character() {
    case "(":
      guard let nesting = text.nesting[position], nesting < Self.greatestDepth else { return nil }
      position += 1
      skipSpace()
      let value = sum()
      skipSpace()
      guard let value, character() == ")" else {
        position = start
        return nil
      }
      position += 1
      // The parentheses of "(3)" change nothing, those of a sum make it an expression.
      return value
    case AnswerText.Mark.fractionStart:
      position += 1
      divisions -= 1
      guard let value = product() else {
        position = start
        return nil
      }
      if character() == AnswerText.Mark.fractionEnd { position += 1 }
      operators += 1
      return value
    case "√":
      position += 1
      guard let value = atom(), value >= 0 else {
        position = start
        return nil
      }
      operators += 1
      return value.squareRoot()
    case "π":
      position += 1
      operators += 1
      return Double.pi
    default:
      return isDigit() || character() == "." && isDigit(1)
        ? literal() : (readsWords ? words() : nil)
    }
  }

  /// A number in digits, with what belongs to it: decimals, an exponent, a fraction after a whole
  /// number, a scale such as "million", a percent sign.
  mutating func literal() -> Double? {
    guard let (whole, fraction) = digitsAndDecimals() else { return nil }
    var value = Double("\(whole).\(fraction.isEmpty ? "0" : fraction)") ?? .nan
    let isWhole = fraction.allSatisfy { $0 == "0" }
    digits = isWhole ? String(whole.drop { $0 == "0" }) : nil
    if digits?.isEmpty == true { digits = "0" }
    decimals = fraction.count
    isPercent = false
    if character() == "e" || character() == "E" {
      let signed = character(1) == "-" || character(1) == "+"
      if isDigit(signed ? 2 : 1) {
        position += 1
        var exponent = ""
        while isDigit() || exponent.isEmpty && "+-".contains(character()), exponent.count < 8 {
          exponent.append(character())
          position += 1
        }
        value *= pow(10, Double(exponent) ?? .nan)
        (digits, decimals) = (nil, nil)
      }
    }
    if isWhole, let part = fractionAfterWhole() {
      value += part
      (digits, decimals) = (nil, nil)
      operators += 1
      return value
    }
    scale(&value)
    if character() == "%" || character() == " " && character(1) == "%" {
      position += character() == "%" ? 1 : 2
      isPercent = true
    } else {
      let next = text.skippingSpace(from: position, before: end)
      if let word = text.word(at: next, before: end), ["percent", "percentage"].contains(word.text)
      {
        position = word.end
        isPercent = true
      }
    }
    return value
  }

  /// A number with more groups of digits than this is read as a list.
  private static let mostGroups = 32

  /// The digits before and after the decimal point or comma, without what groups them.
  private mutating func digitsAndDecimals() -> (whole: String, fraction: String)? {
    func run(at offset: Int, upTo most: Int = .max) -> Int {
      var count = 0
      while count < most, isDigit(offset + count) { count += 1 }
      return count
    }
    func take(_ count: Int) -> String {
      let taken = String(text.characters[position..<(position + count)])
      position += count
      return taken
    }
    let start = position
    var whole = take(run(at: 0))
    let first = whole.count
    // "1,000", "1 000", "1'000", "1_000"; "1.000.000"; "1,00,000".
    if (1...3).contains(first), whole != "0" {
      for separator: Character in [",", " ", "'", "_", "."] where character() == separator {
        // Only groups of two or three digits are looked at, and a bounded number of them, so that a long
        // list of numbers is not searched again from each of them.
        var (offset, groups) = (0, [Int]())
        while character(offset) == separator, case let count = run(at: offset + 1, upTo: 4),
          count > 0
        {
          groups.append(count)
          offset += 1 + count
          if !(2...3).contains(count) || groups.count > Self.mostGroups { break }
        }
        let isThousands =
          (1...Self.mostGroups).contains(groups.count) && groups.allSatisfy { $0 == 3 }
        let isIndian =
          separator == "," && first <= 2 && groups.count > 1 && groups.last == 3
          && groups.dropLast().allSatisfy { $0 == 2 }
        // "1.250" is a decimal, "1.250.000" and "1.250,75" are not.
        let isDotted = groups.count > 1 || character(offset) == ","
        if isThousands && (separator != "." || isDotted) || isIndian {
          for count in groups {
            position += 1
            whole += take(count)
          }
        }
        break
      }
    }
    let isGrouped = whole.count > first
    if character() == ".", isDigit(1) {
      position += 1
      let fraction = take(run(at: 0))
      if character() == ".", isDigit(1) { isSomethingElse = true }
      return (whole.isEmpty ? "0" : whole, fraction)
    }
    if character() == ",", isDigit(1) {
      // A decimal comma where the digits after it can't be a group; a list where more follow.
      let count = run(at: 1)
      let usesDots = isGrouped && text.characters[position - 4] == "."
      if "([".contains(text.character(start - 1)) {
        // A tuple.
        isSomethingElse = true
      } else if count != 3 || usesDots || whole == "0",
        !(character(1 + count) == "," && isDigit(2 + count))
      {
        position += 1
        return (whole, take(count))
      } else {
        isSomethingElse = true
      }
    }
    return (whole.isEmpty ? "0" : whole, "")
  }

  /// The fraction of a mixed number: `2 1/2`, `2-1/2`, `2 and 1/2`, `2\frac{1}{2}`.
  private mutating func fractionAfterWhole() -> Double? {
    let start = position
    if character() == AnswerText.Mark.fractionStart {
      if let value = atom(), value < 1 { return value }
      position = start
      return nil
    }
    guard character() == " " || character() == "-" else { return nil }
    position += 1
    skipSpace()
    if let word = text.word(at: position, before: end) {
      guard word.text == "and" else {
        position = start
        return nil
      }
      position = text.skippingSpace(from: word.end, before: end)
      if let part = Self.halves.first(where: { text.hasPhrase($0.words, at: position) }) {
        position += part.words.count
        return part.value
      }
    }
    if character() == AnswerText.Mark.fractionStart, let value = atom(), value < 1 { return value }
    let numerator = position
    while isDigit() { position += 1 }
    let slash = position
    if slash > numerator, slash - numerator < 9, character() == "/", isDigit(1) {
      position += 1
      while isDigit() { position += 1 }
      let (top, bottom) = (
        Double(String(text.characters[numerator..<slash])) ?? 1,
        Double(String(text.characters[(slash + 1)..<position])) ?? 0
      )
      if top < bottom, character() != "/" { return top / bottom }
    }
    position = start
    return nil
  }

  private static let halves: [(words: [Character], value: Double)] = [
    (Array("a half"), 0.5), (Array("one half"), 0.5), (Array("one-half"), 0.5),
    (Array("a quarter"), 0.25), (Array("three quarters"), 0.75),
  ]

  /// "million", "k" and so on after a number.
  private mutating func scale(_ value: inout Double) {
    while true {
      let next = text.skippingSpace(from: position, before: end)
      guard let word = text.word(at: next, before: end) else { return }
      let isTight = next == position
      if let scale = Self.scales[word.text] ?? (isTight ? Self.tightScales[word.text] : nil) {
        value *= scale
        (digits, decimals) = (nil, nil)
        position = word.end
      } else {
        return
      }
    }
  }

  private static let scales: [String: Double] = [
    "hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "trillion": 1e12, "mn": 1e6,
    "bn": 1e9, "dozen": 12, "lakh": 1e5, "crore": 1e7,
  ]
  private static let tightScales: [String: Double] = ["k": 1e3, "bn": 1e9]

  /// A number in words: "twenty-five", "a hundred and five", "two thirds", "half".
  private mutating func words() -> Double? {
    var (total, group, count, value) = (0.0, 0.0, 0, 0.0)
    var index = position
    var last = position
    while let word = text.word(at: index, before: end) {
      let name = word.text
      if let part = Self.fractionNames[name], count > 0 || name == "half" {
        // "two thirds", "half"; "one half of them" says of what.
        value = (count == 0 ? 1 : total + group) * part
        position = word.end
        operators += 1
        return isFollowedByOf(word.end) ? nil : value
      }
      if let small = Self.smallNumbers[name] {
        group += small
      } else if let scale = Self.scales[name], count > 0 {
        if scale == 100 || scale == 12 {
          group = max(group, 1) * scale
        } else {
          total += max(group, 1) * scale
          group = 0
        }
      } else if name == "a" || name == "an", count == 0 {
        let next = text.skippingSpace(from: word.end, before: end)
        guard let following = text.word(at: next, before: end),
          Self.scales[following.text] != nil || Self.fractionNames[following.text] != nil
        else { return nil }
        group = 1
      } else if name == "and", count > 0, !isDigit() {
        index = text.skippingSpace(from: word.end, before: end)
        guard let following = text.word(at: index, before: end) else { break }
        if following.text == "a" {
          let half = Array("a half")
          guard text.hasPhrase(half, at: index) else { break }
          last = index + half.count
          group += 0.5
          break
        }
        guard group.truncatingRemainder(dividingBy: 100) == 0,
          Self.smallNumbers[following.text] != nil
        else { break }
        continue
      } else {
        break
      }
      count += 1
      last = word.end
      let separator = text.character(word.end)
      index = separator == "-" ? word.end + 1 : text.skippingSpace(from: word.end, before: end)
    }
    guard count > 0, !isFollowedByOf(last) else { return nil }
    position = last
    (digits, decimals) = (nil, nil)
    return total + group
  }

  /// "one of the boxes" is no number.
  private func isFollowedByOf(_ index: Int) -> Bool {
    let next = text.skippingSpace(from: index, before: end)
    return text.word(at: next, before: end)?.text == "of"
  }

  private static let smallNumbers: [String: Double] = {
    let names =
      "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
      + "sixteen seventeen eighteen nineteen"
    let tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    var numbers = Dictionary(
      uniqueKeysWithValues: names.split(separator: " ").enumerated().map {
        (String($1), Double($0))
      })
    for (index, name) in tens.split(separator: " ").enumerated() {
      numbers[String(name)] = Double(20 + 10 * index)
    }
    return numbers
  }()

  private static let fractionNames: [String: Double] = [
    "half": 0.5, "halves": 0.5, "third": 1.0 / 3, "thirds": 1.0 / 3, "quarter": 0.25,
    "quarters": 0.25, "fourth": 0.25, "fourths": 0.25, "fifth": 0.2, "fifths": 0.2,
    "sixth": 1.0 / 6,
    "sixths": 1.0 / 6, "eighth": 0.125, "eighths": 0.125, "tenth": 0.1, "tenths": 0.1,
  ]
}
