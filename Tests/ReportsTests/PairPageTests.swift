import Checkpoints
import Distillation
import Evaluation
import Foundation
import KeySteps
import LanguageModel
import Reasoning
import Reports
import TestSupport
import Testing
import Tokenizers

@Suite struct PairPageTests {
  private func dual(
    _ chosen: String, _ rejected: String, prompt: String = "Q: 1 < 2 & \"so\"?\nA:",
    id: String = "a<b>"
  ) -> DualChainOfThought {
    func chain(_ text: String, _ isCorrect: Bool, _ origin: ChainOfThought.Origin) -> ChainOfThought
    {
      ChainOfThought(
        questionID: id, task: "<sums on=\"x\">", prompt: prompt, text: text, isCorrect: isCorrect,
        origin: origin, mistake: isCorrect ? nil : Mistake(kind: .calculation, step: 2))
    }
    return DualChainOfThought(
      chosen: chain(chosen, true, .rectified), rejected: chain(rejected, false, .corrupted),
      goldAnswer: "<4>")
  }

  private func page(
    _ duals: [DualChainOfThought], tokenizer path: String,
    weights: KeyStepWeights = KeyStepWeights(), decoder: Decoder? = nil
  ) throws -> (page: PairPage, tokenized: [TokenizedPair], losses: [PairLosses]?) {
    let tokenizer = try ExampleTokenizer(Tokenizer(path: path))
    let tokenized = try tokenizer.tokenize(duals, file: "pairs")
    let losses = try decoder.map {
      try PairLosses.losses(of: tokenized, on: $0, workers: Workers(count: 1))
    }
    let pairs = duals.indices.map { index in
      PairPage.Pair(
        duals[index], tokens: tokenized[index],
        keys: tokenized[index].keyTokens(), losses: losses?[index])
    }
    return (
      PairPage(
        pairs, tokenizer: tokenizer.tokenizer, weights: weights, source: "<pairs> & more",
        model: decoder == nil ? nil : "<m>"), tokenized, losses
    )
  }

  /// What stands between `start` and the next `end`, each time.
  private func parts(_ html: String, from start: String, to end: String) -> [String] {
    html.components(separatedBy: start).dropFirst().map { $0.components(separatedBy: end)[0] }
  }

  private let gpt2 = fixture("tokenizers/gpt2").path

  @Test(
    "The page marks wrong key tokens whose weight the guard drops, by their own -log p or repetition"
  )
  func guarded() throws {
    let place = try TemporaryFolder()
    let student = try Student(path: numberedModel(in: place.path))
    let tokenizer = try student.exampleTokenizer()
    let dual = dual("10 12 13", "10 14 15", prompt: "3")
    let tokens = try tokenizer.tokenize([dual], file: "pairs")[0]
    var losses = try PairLosses.losses(
      of: [tokens], on: student.decoder, workers: Workers(count: 1))[0]
    for (index, value) in [9, 1, 9, 9].enumerated() {
      losses.rejected[index].negativeLogLikelihood = Float(value)
    }
    func guarded(_ repeats: [Float]?) -> [String] {
      let pair = PairPage.Pair(
        dual, tokens: tokens, keys: tokens.keyTokens(),
        losses: losses,
        rejectedRepeats: repeats)
      let html = PairPage(
        [pair], tokenizer: tokenizer.tokenizer, guardThreshold: 5, source: "", model: "m"
      ).html
      return parts(html, from: "<mark data-i=\"", to: ">").filter { $0.contains("guarded") }
        .map { String($0.prefix(2)) }
    }
    // Wrong key tokens are 14 and 15.
    #expect(tokens.keyTokens().rejected == [1, 2])
    #expect(guarded(nil) == ["15"])
    #expect(guarded([9, 9, 1, 9]) == ["14"])
  }

  @Test(
    "A page holds each chain's tokens with their ids, its key tokens as marks with their weight")
  func structure() throws {
    let place = NSTemporaryDirectory() + "page-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: place) }
    let duals = [dual("10 11 12 13", "10 11 14 13", prompt: "3"), dual("5 6", "6 5", prompt: "3")]
    let html = try page(
      duals, tokenizer: numberedModel(in: place),
      weights: KeyStepWeights(alpha: 2, beta: -0.5, gamma: 0.25)
    ).page.html
    #expect(parts(html, from: "<section id=\"", to: "\"") == ["pair-0", "pair-1"])
    let chains = parts(html, from: "<p class=\"chain ", to: "</p>")
    #expect(chains.count == 4)
    #expect(
      chains[0].hasSuffix(
        #"data-key="2.0" data-other="0.25"><span data-i="10">10</span><span data-i="11"> 11</span>"#
          + #"<mark data-i="12"> 12</mark><span data-i="13"> 13</span>"#
          + #"<span data-i="2" class="special"> &lt;/s&gt;</span>"#), "\(chains[0])")
    #expect(
      chains[0].hasPrefix("right\"") && chains[0].contains("aria-label=\"right chain, rectified\""))
    #expect(
      chains[1].hasPrefix("wrong\"") && chains[1].contains("wrong chain, corrupted")
        && chains[1].contains(#"data-key="-0.5" data-other="0.0""#)
        && chains[1].contains(#"<mark data-i="14"> 14</mark>"#))
    for text in [
      "<dt>distance</dt><dd>1</dd>", "<dt>key share</dt><dd>20.0 %</dd>",
      "<dt>mistake</dt><dd>calculation, step 2</dd>", "<dt>gold answer</dt><dd>&lt;4&gt;</dd>",
      "1 of 5 tokens are key tokens, weight 2.0 (α); others 0.25 (γ)", "<span>rectified</span>",
      "1 of 5 tokens are key tokens, weight -0.5 (β); others 0.0", "<span>corrupted</span>",
      "<a href=\"#pair-1\">next</a>", "<a href=\"#pair-0\">previous</a>",
    ] { #expect(html.contains(text), "\(text)") }
    #expect(!html.contains("data-p"))
  }

  @Test("What data says is text on the page, never markup, and nothing comes from elsewhere")
  func escaping() throws {
    let html = try page(
      [dual(" <script>alert(1)</script>", " </p></main> &amp; <img alt=x>")], tokenizer: gpt2
    ).page.html
    #expect(parts(html, from: "<script>", to: "</script>").count == 1)
    #expect(parts(html, from: "</main>", to: "x").count == 1)
    #expect(!html.contains("<img") && !html.contains("<b>"))
    #expect(html.contains("&lt;pairs&gt; &amp; more"))
    #expect(html.contains("<dt>task</dt><dd>&lt;sums on=&quot;x&quot;&gt;</dd>"))
    #expect(html.contains("1 &lt; 2 &amp; &quot;so&quot;?<i>↵</i>\nA:"))
    for reference in ["http:", "https:", "src=", "url(", "@import", "<link"] {
      #expect(!html.contains(reference), "\(reference)")
    }
    // Tags that are opened are closed.
    for tag in ["section", "article", "p", "mark", "span", "i", "dl", "div", "nav", "h2", "h3"] {
      let opened =
        html.components(separatedBy: "<\(tag) ").count
        + html.components(separatedBy: "<\(tag)>").count - 2
      #expect(opened == html.components(separatedBy: "</\(tag)>").count - 1, "\(tag)")
    }
  }

  @Test("The log-probabilities of a page are those that a pair's score adds up")
  func logProbabilities() throws {
    let place = NSTemporaryDirectory() + "page-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: place) }
    let model = try numberedModel(in: place)
    let decoder = try Decoder(Checkpoint(path: model))
    let duals = [
      dual("20 21 22 30", "20 23 22", prompt: "10 11"), dual("5 6 7", "8", prompt: "3"),
    ]
    let (page, tokenized, losses) = try page(duals, tokenizer: model, decoder: decoder)
    let scores = try PairScore.scores(of: tokenized, on: decoder, workers: Workers(count: 1))
    #expect(page.html.contains("<dd>&lt;m&gt;</dd>") && !page.html.contains("<m>"))
    let chains = parts(page.html, from: "<p class=\"chain ", to: "</p>")
    for (index, score) in scores.enumerated() {
      for (chain, expected, tokens) in [
        (chains[2 * index], score.chosenLogLikelihood, losses?[index].chosen),
        (chains[2 * index + 1], score.rejectedLogLikelihood, losses?[index].rejected),
      ] {
        let values = parts(chain, from: "data-p=\"", to: "\"").compactMap { Double($0) }
        #expect(values.count == tokens?.count)
        #expect(abs(values.reduce(0, +) / Double(values.count) - expected) < 1e-4)
        for (value, loss) in zip(values, tokens ?? []) {
          #expect(abs(value + Double(loss.negativeLogLikelihood)) <= 0.5001e-4)
        }
      }
    }
    #expect(page.html.contains("class=\"shaded\"") && page.html.contains("class=\"s4\""))
  }

  @Test("White space, control characters and parts of characters are shown as signs")
  func signs() {
    #expect(HTMLText.visible(" a  b\n\tc ") == " a<i>·</i><i>·</i>b<i>↵</i>\n<i>⇥</i>\tc<i>·</i>")
    #expect(HTMLText.visible("\u{0}\u{202E}\u{A0}") == "<i>U+0</i><i>U+202E</i><i>·</i>")
    #expect(HTMLText.visible("é😀") == "é😀")
    let smile = Array("😀".utf8)
    typealias Piece = PairPage.Piece
    #expect(
      PairPage.pieces(of: [Array(smile[..<2]), Array(smile[2...]) + [0x21], [0x80], []])
        == [[.bytes([0xF0, 0x9F])], [.text("😀!")], [.bytes([0x80])], []] as [[Piece]])
    #expect(
      PairPage.pieces(of: [[0x41, 0xE2], [0x96], [0x81]])
        == [[.text("A"), .bytes([0xE2])], [.bytes([0x96])], [.text("▁")]] as [[Piece]])
    #expect(PairPage.pieces(of: [[0x41, 0xE2]]) == [[.text("A"), .bytes([0xE2])]] as [[Piece]])
  }
}
