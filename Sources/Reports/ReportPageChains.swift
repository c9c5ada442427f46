import Evaluation
import Experiments
import Files
import KeySteps

/// Responses of two arms side by side, where they differ.
extension ReportPage {
  /// How many questions of a test are shown of two arms, and up to how many arms every two are.
  private static let shownQuestions = 5
  private static let pairedArms = 6

  /// A chosen point with its responses to each test, from the first seed that has any.
  private struct Answers {
    let name: String
    let seed: Int
    let byTest: [String: [String: AnsweredQuestion]]
  }

  /// Empty where no responses are there.
  var chains: String {
    let answers = results.points.enumerated().filter { $0.element.isChosen }
      .sorted {
        ($0.offset != results.reference ? 1 : 0) < ($1.offset != results.reference ? 1 : 0)
      }
      .compactMap { self.answers(of: $0.element) }
    guard answers.count > 1 else { return "" }
    let others = answers.indices.dropFirst()
    var pairs = others.map { (first: 0, second: $0) }
    if answers.count <= Self.pairedArms {
      pairs += others.flatMap { first in
        others.filter { $0 > first }.map { (first: first, second: $0) }
      }
    }
    let name = subject.map { results.points[$0].label }
    let open = pairs.firstIndex { $0.first == 0 && answers[$0.second].name == name } ?? 0
    let groups = pairs.enumerated().map { index, pair -> String in
      let (a, b) = (answers[pair.first], answers[pair.second])
      return disclosure(
        "<h3>\(HTMLText.escaped(b.name)) beside \(HTMLText.escaped(a.name))</h3>",
        sideBySide(a, b), isOpen: index == open
      ).replacing(
        "<details", with: "<details class=\"pair\" id=\"pair-\(index)\"", maxReplacements: 1)
    }
    let options = pairs.enumerated().map { index, pair in
      "<option value=\"pair-\(index)\"\(index == open ? " selected" : "")>"
        + "\(HTMLText.escaped(answers[pair.second].name)) beside "
        + "\(HTMLText.escaped(answers[pair.first].name))</option>"
    }
    return """
      <p>Questions to which the two arms responded differently, at most \(Self.shownQuestions) of each \
      test: first those that only one of them answered right. Words that differ are bold and \
      underlined, with a wave in the second arm.</p>
      <p class="choice" hidden><label for="pair">Arms</label> <select id="pair">\
      \(options.joined())</select></p>
      \(groups.joined())
      """
  }

  private func answers(of point: ResultPoint) -> Answers? {
    for seed in point.seeds {
      guard let id = point.runs[seed]?.id, Plan.isID(id) else { continue }
      var byTest: [String: [String: AnsweredQuestion]] = [:]
      for test in results.tests {
        let path = place.responses(id, test)
        guard !test.contains("/"), FileContents.exists(path),
          let answered = try? AnsweredQuestion.read(path)
        else { continue }
        byTest[test] = Dictionary(answered.map { ($0.id, $0) }) { first, _ in first }
      }
      if !byTest.isEmpty { return Answers(name: point.label, seed: seed, byTest: byTest) }
    }
    return nil
  }

  private func sideBySide(_ a: Answers, _ b: Answers) -> String {
    results.tests.compactMap { test -> String? in
      guard let ours = a.byTest[test], let theirs = b.byTest[test] else { return nil }
      let common = ours.keys.filter { theirs[$0] != nil }.sorted()
      let both = common.compactMap { id in ours[id].flatMap { a in theirs[id].map { (a, $0) } } }
      let differing = both.filter { $0.response != $1.response }
      func rank(_ pair: (AnsweredQuestion, AnsweredQuestion)) -> Int {
        pair.0.isCorrect == pair.1.isCorrect ? 1 : 0
      }
      // Those that the second arm alone answers right, and those that the first one does, in turn.
      func only(_ isSecond: Bool) -> [(AnsweredQuestion, AnsweredQuestion)] {
        differing.filter { rank($0) == 0 && $0.1.isCorrect == isSecond }
      }
      let (gained, lost) = (only(true), only(false))
      var chosen: [(AnsweredQuestion, AnsweredQuestion)] = []
      for index in 0..<Self.shownQuestions {
        if index < gained.count { chosen.append(gained[index]) }
        if index < lost.count { chosen.append(lost[index]) }
      }
      chosen += differing.filter { rank($0) == 1 }
      let shown = chosen.prefix(Self.shownQuestions).map { question($0.0, $0.1, a, b) }
      return """
        <h4>\(HTMLText.escaped(test))</h4>
        <p class="note">Of \(common.count) questions \(differing.count) have different responses; \
        only the second arm is right on \(gained.count), only the first on \(lost.count) \
        (\(a.seed == b.seed ? "seed \(a.seed)" : "seeds \(a.seed) and \(b.seed)")).</p>
        \(shown.joined(separator: "\n"))
        """
    }.joined(separator: "\n")
  }

  private func question(
    _ first: AnsweredQuestion, _ second: AnsweredQuestion, _ a: Answers, _ b: Answers
  ) -> String {
    let words = [first, second].map { Self.words(of: $0.response) }
    let differs = Self.differences(words[0], words[1])
    func side(_ answer: AnsweredQuestion, _ name: String, _ number: Int) -> String {
      let text = zip(words[number], differs[number]).map { word, differs in
        let space = word.prefix(while: \.isWhitespace)
        let bare = HTMLText.escaped(String(word.dropFirst(space.count)))
        return HTMLText.escaped(String(space)) + (differs ? "<mark>\(bare)</mark>" : bare)
      }.joined()
      return """
        <article><h5>\(HTMLText.escaped(name)) \
        <span>\(answer.isCorrect ? "✓ right answer" : "✗ wrong answer")</span></h5>
        <p class="chain \(number == 0 ? "first" : "second")" dir="auto">\(text)</p></article>
        """
    }
    let gold = first.goldAnswer.map { ", gold answer \(HTMLText.escaped($0))" } ?? ""
    return """
      <div class="question"><p class="note">\(HTMLText.escaped(first.id)), \
      \(HTMLText.escaped(first.task))\(gold)</p>
      <p class="prompt" dir="auto">\(HTMLText.escaped(first.prompt))</p>
      <div class="sides">
      \(side(first, a.name, 0))
      \(side(second, b.name, 1))
      </div></div>
      """
  }

  /// The words of `text`, each with the white space before it; together they are the text.
  static func words(of text: String) -> [String] {
    var words: [String] = []
    var isInWord = true
    for character in text {
      if words.isEmpty || (character.isWhitespace && isInWord) { words.append("") }
      isInWord = !character.isWhitespace
      words[words.count - 1].append(character)
    }
    return words
  }

  /// Which words of each side a minimum edit script from it to the other changes.
  static func differences(_ a: [String], _ b: [String]) -> [[Bool]] {
    var ids: [Substring: Int] = [:]
    func id(_ word: String) -> Int {
      let bare = word.drop(while: \.isWhitespace)
      let known = ids[bare] ?? ids.count
      ids[bare] = known
      return known
    }
    let keys = KeyTokens(chosen: a.map(id), rejected: b.map(id))
    return [keys.chosenMask, keys.rejectedMask]
  }
}
