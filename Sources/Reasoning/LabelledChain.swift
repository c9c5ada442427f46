import Files
import Foundation

/// A chain of thought in which people have marked the first wrong step.
public struct LabelledChain: Hashable, Sendable {
  public var id: String
  public var task: String
  public var question: String
  public var steps: [String]
  /// The index of the first wrong step; nil where none is marked.
  public var mistake: Int?
  /// The gold answer.
  public var gold: String
  /// A right solution that is published with the question; nil where there is none.
  public var solution: String?

  /// Reads chains of BIG-Bench Mistake: lines of `{"input", "steps", "target", "mistake_index"}`. The task is the file's
  /// name.
  ///
  /// Source: Tyen et al., arXiv 2311.08516; https://github.com/WHGTyen/BIG-Bench-Mistake
  public static func bigBenchMistake(at path: String) throws(FileError) -> [LabelledChain] {
    let task = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    var chains: [LabelledChain] = []
    for (number, line) in try JSONLinesFile.objects(of: path).enumerated() {
      let steps = try line.strings("steps")
      let mistake = try line["mistake_index"].map { node throws(FileError) in
        try index(node, of: steps)
      }
      chains.append(
        LabelledChain(
          id: "\(task)-\(number)", task: task, question: try line.filledString("input"),
          steps: steps, mistake: mistake, gold: try line.filledString("target")))
    }
    return chains
  }

  /// Reads wrong solutions of MR-GSM8K: lines of `{"uuid", "question", "ground_truth_solution", "ground_truth_answer",
  /// "model_output_steps", "model_output_solution_first_error_step"}`, whose steps count from 1.
  ///
  /// Source: Zeng et al., arXiv 2312.17080; https://github.com/dvlab-research/MR-GSM8K
  public static func mrGSM8K(at path: String) throws(FileError) -> [LabelledChain] {
    var chains: [LabelledChain] = []
    for line in try JSONLinesFile.objects(of: path) {
      let steps = try line.strings("model_output_steps")
      let label = line.child("model_output_solution_first_error_step")
      chains.append(
        LabelledChain(
          id: try line.filledString("uuid"), task: "mr-gsm8k",
          question: try line.filledString("question"), steps: steps,
          mistake: try index(label, of: steps, from: 1),
          gold: try textOrNumber(line.child("ground_truth_answer")),
          solution: try line.optionalString("ground_truth_solution").map(withoutNotes)
            .flatMap { $0.isEmpty ? nil : $0 }))
    }
    return chains
  }

  /// A solution without its calculator notes (`<<48/2=24>>`).
  package static func withoutNotes(_ solution: String) -> String {
    solution.replacing(/<<[^<>]*>>/, with: "")
  }

  /// A text, or a number as a text.
  private static func textOrNumber(_ node: JSONNode) throws(FileError) -> String {
    switch node.value {
    case .string(let text): text
    case .integer, .number: node.value.text()
    default: throw node.error(expected: "a string or a number")
    }
  }

  private static func index(_ node: JSONNode, of steps: [String], from first: Int = 0)
    throws(FileError) -> Int
  {
    let number = try node.integer() - first
    guard steps.indices.contains(number) else {
      throw node.error(
        expected: "a step from \(first) to \(steps.count - 1 + first)", found: "\(number + first)")
    }
    return number
  }

  /// The steps as one text, one on each line, after the space that parts a response from its prompt.
  public var text: String { Self.text(of: steps) }

  public static func text(of steps: [String]) -> String { " " + steps.joined(separator: "\n") }

  /// Where the marked step stands in `text`, with the space before it, as UTF-8 offsets; nil where none is marked.
  public var mistakeRange: Range<Int>? {
    mistake.map { step in
      let start = steps[..<step].reduce(0) { $0 + 1 + $1.utf8.count }
      return start..<(start + 1 + steps[step].utf8.count)
    }
  }
}

extension LabelledChain {
  /// The chain put right by program in its own words, whichever step is marked: each step that is right stays as it is.
  /// Nil where the task is none that can be worked out (tracking shuffled objects, multistep arithmetic), the steps have
  /// another form, or nothing in them is wrong.
  public var correctedSteps: [String]? {
    let corrected: [String]? =
      switch task {
      case "tracking_shuffled_objects": TrackedObjects(question)?.correcting(steps)
      case "multistep_arithmetic": MultistepArithmetic(question)?.correcting(steps)
      default: nil
      }
    guard let corrected, corrected != steps,
      corrected.last?.hasSuffix("So the answer is \(gold)") == true
    else { return nil }
    return corrected
  }
}

/// A question of BIG-Bench Hard's tracking shuffled objects.
struct TrackedObjects {
  private let names: [String]
  /// What each has before the first swap.
  private let things: [String]
  private let swaps: [(String, String)]
  private let asked: String
  private let options: [(letter: String, thing: String)]

  /// Nil where `question` has another form.
  init?(_ question: String) {
    let lines = question.split(separator: "\n").map(String.init)
    guard lines.count >= 4, let start = lines[0].ranges(of: ": ").last?.upperBound else {
      return nil
    }
    var names: [String] = []
    var things: [String] = []
    let holder =
      /^(?:and )?(\w+) (?:has an?|has|gets|is playing|is dancing with) (.+?)(?: ball| present)?$/
    for part in lines[0][start...].split(separator: ", ") {
      let text = part.trimmingPrefix("and ").trimmingSuffix(".")
      // "Alice has a red ball and Bob …" does not occur: three holders or more are parted by commas.
      guard let match = text.wholeMatch(of: holder) else { return nil }
      names.append(String(match.1))
      things.append(String(match.2))
    }
    let swap = /(\w+) and (\w+) (?:swap|trade|switch)/
    swaps = lines[1].matches(of: swap).map { (String($0.1), String($0.2)) }
    guard let last = lines[1].split(separator: ". ").last,
      let asked = last.firstMatch(of: /, (\w+) (?:has|is)/)
    else { return nil }
    self.asked = String(asked.1)
    options = lines.dropFirst(2).compactMap { line in
      line.wholeMatch(of: /\((\w)\) (.+?)(?: ball| present)?\.?/).map {
        (String($0.1), String($0.2))
      }
    }
    guard names.count >= 2, !swaps.isEmpty, options.count == names.count,
      names.contains(self.asked), swaps.allSatisfy({ names.contains($0.0) && names.contains($0.1) })
    else { return nil }
    (self.names, self.things) = (names, things)
  }

  /// Who has what after `count` swaps, by the index of names.
  private func holdings(after count: Int) -> [String] {
    var held = things
    for (a, b) in swaps.prefix(count) {
      guard let a = names.firstIndex(of: a), let b = names.firstIndex(of: b) else { continue }
      held.swapAt(a, b)
    }
    return held
  }

  /// The steps with the lists of holdings, and the answer, put right.
  func correcting(_ steps: [String]) -> [String]? {
    let entry = /\b([A-Z]\w*): ([^,.:]+?)(?=,|\.|$| So the answer)/
    let lists = steps.indices.filter { !steps[$0].matches(of: entry).isEmpty }
    // A list of the start comes first, or is left out.
    let offset: Int
    switch lists.count {
    case swaps.count + 1: offset = 0
    case swaps.count: offset = 1
    default: return nil
    }
    // The chain's own word for each thing, which may be shorter: "Gatsby".
    var words: [String: String] = [:]
    for step in steps {
      for match in step.matches(of: entry) {
        let word = String(match.2)
        let meant = things.filter { $0 == word || $0.contains(word) }
        guard meant.count == 1, let thing = meant.first else { return nil }
        words[thing] = words[thing] ?? word
      }
    }
    var corrected = steps
    for (number, step) in lists.enumerated() {
      let held = holdings(after: number + offset)
      var text = ""
      var end = steps[step].startIndex
      for match in steps[step].matches(of: entry) {
        let people = names.indices.filter { names[$0] == match.1 || names[$0].prefix(1) == match.1 }
        guard people.count == 1, let person = people.first else { return nil }
        text += steps[step][end..<match.2.startIndex] + (words[held[person]] ?? held[person])
        end = match.2.endIndex
      }
      corrected[step] = text + steps[step][end...]
    }
    // The conclusion: "At the end of the game, Eve has the yellow ball. So the answer is (C)".
    guard let person = names.firstIndex(of: asked), let last = steps.indices.last else {
      return nil
    }
    let thing = holdings(after: swaps.count)[person]
    guard let option = options.first(where: { $0.thing == thing }) else { return nil }
    if let stated = corrected[last].firstMatch(
      of: /\b(?:has|playing|with) (?:the )?([^.:]+?)(?: ball| present)?\. So the answer/)
    {
      let isLong = things.contains(String(stated.1))
      corrected[last].replaceSubrange(
        stated.1.startIndex..<stated.1.endIndex,
        with: isLong || words[thing] == nil ? thing : words[thing] ?? thing)
    }
    guard let answer = corrected[last].firstMatch(of: /So the answer is (\(\w\))/) else {
      return nil
    }
    corrected[last].replaceSubrange(
      answer.1.startIndex..<answer.1.endIndex, with: "(\(option.letter))")
    return corrected
  }
}

extension Substring {
  fileprivate func trimmingSuffix(_ suffix: String) -> Substring {
    hasSuffix(suffix) ? dropLast(suffix.count) : self
  }
}

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
