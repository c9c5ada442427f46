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
      /^(\w+) (?:has an?|has|gets|is playing|is dancing with) (.+?)(?: ball| present)?$/
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
