import Distillation
import Evaluation
import Files
import Foundation
import KeySteps
import LanguageModel
import Reasoning
import Statistics
import Tokenizers

/// A self-contained HTML page that shows dual pairs side by side, token by token: which are key
/// tokens, with which weight, and, where a model was asked, how likely each is.
///
/// A token is an element of its own with its id in `data-i` and its log-probability in `data-p`
/// (nats, four decimals). Chosen key tokens are underlined once and bold, rejected ones with a wave;
/// the shade says how unlikely a token is. Nothing is loaded from elsewhere.
public struct PairPage {
  /// A dual pair with all that is shown of it.
  public struct Pair {
    public var dual: DualChainOfThought
    public var tokens: TokenizedPair
    public var keys: KeyTokens
    /// Nil where no model was asked.
    public var losses: PairLosses?
    /// -log p of each rejected token once more right after itself, where the guard tests that; nil
    /// where it tests the token's own.
    public var rejectedRepeats: [Float]?

    public init(
      _ dual: DualChainOfThought, tokens: TokenizedPair, keys: KeyTokens, losses: PairLosses? = nil,
      rejectedRepeats: [Float]? = nil
    ) {
      self.dual = dual
      self.tokens = tokens
      self.keys = keys
      self.losses = losses
      self.rejectedRepeats = rejectedRepeats
    }
  }

  private let pairs: [Pair]
  private let tokenizer: Tokenizer
  private let weights: KeyStepWeights
  private let guardThreshold: Float
  private let source: String
  private let model: String?

  /// - Parameters:
  ///   - guardThreshold: rejected key tokens whose -log p, or that of their repetition, is above it have
  ///     weight 0, as in training.
  ///   - source: what the page says that its pairs are from.
  ///   - model: the name of the model whose losses the pairs have.
  public init(
    _ pairs: [Pair], tokenizer: Tokenizer, weights: KeyStepWeights = KeyStepWeights(),
    guardThreshold: Float = 20, source: String, model: String? = nil
  ) {
    self.pairs = pairs
    self.tokenizer = tokenizer
    self.weights = weights
    self.guardThreshold = guardThreshold
    self.source = source
    self.model = model
  }

  /// The whole page.
  public var html: String {
    let share = pairs.isEmpty ? 0 : pairs.map(\.keys.fraction).reduce(0, +) / Double(pairs.count)
    let title = "\(pairs.count) dual pair\(pairs.count == 1 ? "" : "s")"
    let facts =
      [
        ("from", HTMLText.escaped(source)), ("mean key share", Self.percent(share)),
        ("weights", "α \(weights.alpha), β \(weights.beta), γ \(weights.gamma)"),
      ] + (model.map { [("log-probabilities of", HTMLText.escaped($0))] } ?? [])
    return HTMLPage(
      title: "\(title): \(source)", style: Self.style, script: Self.script,
      bodyClass: model == nil ? nil : "shaded",
      body: """
        <header>
        <h1>\(title)</h1>
        \(HTMLText.facts(facts))
        \(legend)
        <details class="index"><summary>All pairs</summary><ol>
        \(pairs.indices.map(indexEntry).joined(separator: "\n"))
        </ol></details>
        </header>
        <main>
        \(pairs.indices.map(section).joined(separator: "\n"))
        </main>
        <output id="token" aria-live="polite">Point at a token, or tab to a chain and press → for \
        what is known of it.</output>
        """
    ).html
  }

  /// Writes the page, the whole file or nothing. Throws a `FileError` that names the file.
  public func write(to path: String) throws {
    let file = try AtomicFile(path: path)
    try file.write(html)
    try file.commit()
  }

  private var legend: String {
    var entries = [
      "<span class=\"chain right\"><mark>key token</mark></span> of the right chain",
      "<span class=\"chain wrong\"><mark>key token</mark></span> of the wrong chain",
    ]
    if model != nil {
      let steps = ["p ≥ 0.9", "≥ 0.5", "≥ 0.1", "≥ 0.01", "below"].enumerated()
      entries.append(
        "<span class=\"chain\">"
          + steps.map { "<span\(Self.shade($0))>\($1)</span>" }.joined(separator: " ") + "</span>")
    }
    entries += [
      "<i>↵</i> new line, <i>·</i> space, <i>⟨E2 96⟩</i> bytes of a character that ends in a later token",
      "<kbd>n</kbd> <kbd>p</kbd> next and previous pair, <kbd>→</kbd> <kbd>←</kbd> tokens of a chain,"
        + " with <kbd>Shift</kbd> its key tokens",
    ]
    return "<ul class=\"legend\">"
      + entries.map { "<li>\($0)</li>" }.joined() + "</ul>"
  }

  private func indexEntry(_ index: Int) -> String {
    let pair = pairs[index]
    return "<li><a href=\"#pair-\(index)\">\(HTMLText.escaped(pair.dual.questionID))</a> "
      + "\(Self.percent(pair.keys.fraction)), \(Self.mistake(of: pair.dual))</li>"
  }

  // MARK: - A pair

  private func section(_ index: Int) -> String {
    let pair = pairs[index]
    var facts = [
      ("task", HTMLText.escaped(pair.dual.task)), ("distance", "\(pair.keys.distance)"),
      ("key share", Self.percent(pair.keys.fraction)), ("mistake", Self.mistake(of: pair.dual)),
    ]
    if let gold = pair.dual.goldAnswer { facts.append(("gold answer", HTMLText.escaped(gold))) }
    let links = [("previous", index - 1), ("next", index + 1)].filter { pairs.indices.contains($1) }
      .map { "<a href=\"#pair-\($1)\">\($0)</a>" }
    return """
      <section id="pair-\(index)" tabindex="-1" aria-labelledby="name-\(index)">
      <h2 id="name-\(index)">\(index) <span>\(HTMLText.escaped(pair.dual.questionID))</span></h2>
      <nav aria-label="Neighbours of pair \(index)">\(links.joined(separator: " "))</nav>
      \(HTMLText.facts(facts))
      <p class="prompt">\(HTMLText.visible(pair.dual.prompt))</p>
      <div class="sides">
      \(side(pair, isRight: true))
      \(side(pair, isRight: false))
      </div>
      </section>
      """
  }

  private func side(_ pair: Pair, isRight: Bool) -> String {
    let chain = isRight ? pair.dual.chosen : pair.dual.rejected
    let tokens = isRight ? pair.tokens.chosen : pair.tokens.rejected
    let isKey = isRight ? pair.keys.chosenMask : pair.keys.rejectedMask
    let losses = isRight ? pair.losses?.chosen : pair.losses?.rejected
    let (keyWeight, otherWeight) = isRight ? (weights.alpha, weights.gamma) : (weights.beta, 0)
    let name = isRight ? "right" : "wrong"
    let keyCount = isKey.count { $0 }
    var notes = [
      "\(keyCount) of \(tokens.count) tokens are key tokens, weight \(keyWeight) (\(isRight ? "α" : "β")); "
        + "others \(otherWeight)\(isRight ? " (γ)" : "")"
    ]
    if let losses {
      func mean(_ losses: [TokenLoss]) -> String {
        guard !losses.isEmpty else { return "none" }
        return Self.decimals(-losses.map { Double($0.negativeLogLikelihood) }.mean, 3)
      }
      let ofKeys = zip(losses, isKey).compactMap { $1 ? $0 : nil }
      notes.append("mean log p \(mean(losses)) a token, \(mean(ofKeys)) a key token")
    }
    let bytes = tokenizer.bytes(of: tokens)
    let spans = zip(tokens.indices, Self.pieces(of: bytes)).map { index, pieces in
      var attributes = " data-i=\"\(tokens[index])\""
      var classes: [String] = tokenizer.isSpecial(tokens[index]) ? ["special"] : []
      if let loss = losses?[index].negativeLogLikelihood {
        attributes += " data-p=\"\(Self.decimals(-Double(loss), 4))\""
        let level = Self.level(ofProbability: exp(-Double(loss)))
        if level > 0 { classes.append("s\(level)") }
        if !isRight, isKey[index], keyWeight < 0,
          pair.rejectedRepeats?[index] ?? loss > guardThreshold
        {
          classes.append("guarded")
        }
      }
      if !classes.isEmpty { attributes += " class=\"\(classes.joined(separator: " "))\"" }
      let element = isKey[index] ? "mark" : "span"
      return "<\(element)\(attributes)>\(Self.html(of: pieces))</\(element)>"
    }
    return """
      <article>
      <h3>\(isRight ? "Right" : "Wrong") <span>\(chain.origin.rawValue)</span></h3>
      <p class="note">\(notes.joined(separator: "<br>"))</p>
      <p class="chain \(name)" dir="auto" tabindex="0" role="group" aria-label="\(name) chain, \
      \(chain.origin.rawValue)" data-key="\(keyWeight)" data-other="\(otherWeight)">\
      \(spans.joined())</p>
      </article>
      """
  }

  private static func mistake(of dual: DualChainOfThought) -> String {
    dual.rejected.mistake.map { "\($0.kind.rawValue)\($0.step.map { ", step \($0)" } ?? "")" }
      ?? "unknown"
  }

  // MARK: - Tokens

  /// A part of what a token adds to the text.
  package enum Piece: Hashable {
    /// Characters that end in this token.
    case text(String)
    /// Bytes of a character that ends in a later token, or of none.
    case bytes([UInt8])
  }

  /// The pieces of each token, from the bytes that each adds to the text.
  package static func pieces(of tokens: [[UInt8]]) -> [[Piece]] {
    var pieces: [[Piece]] = tokens.map { _ in [] }
    let all = tokens.enumerated().flatMap { token, bytes in bytes.map { (token: token, byte: $0) } }
    func add(_ piece: Piece, to token: Int) {
      switch (pieces[token].last, piece) {
      case (.text(let before)?, .text(let text)):
        pieces[token][pieces[token].count - 1] = .text(before + text)
      case (.bytes(let before)?, .bytes(let bytes)):
        pieces[token][pieces[token].count - 1] = .bytes(before + bytes)
      default: pieces[token].append(piece)
      }
    }
    var start = 0
    while start < all.count {
      let length =
        switch all[start].byte {
        case 0xC0...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...: 4
        default: 1
        }
      let character = all[start..<min(start + length, all.count)]
      guard let text = String(validating: character.map { $0.byte }, as: UTF8.self) else {
        add(.bytes([all[start].byte]), to: all[start].token)
        start += 1
        continue
      }
      let last = character[character.endIndex - 1].token
      for (token, byte) in character where token != last { add(.bytes([byte]), to: token) }
      add(.text(text), to: last)
      start += length
    }
    return pieces
  }

  private static func html(of pieces: [Piece]) -> String {
    if pieces.isEmpty { return "<i>∅</i>" }
    return pieces.map { piece in
      switch piece {
      case .text(let text): HTMLText.visible(text)
      case .bytes(let bytes):
        "<i>⟨\(bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: " "))⟩</i>"
      }
    }.joined()
  }

  // MARK: - Numbers

  /// The steps of the shade, from 0 for the likeliest tokens.
  private static func level(ofProbability probability: Double) -> Int {
    [0.9, 0.5, 0.1, 0.01].firstIndex { probability >= $0 } ?? 4
  }

  private static func shade(_ level: Int) -> String { level == 0 ? "" : " class=\"s\(level)\"" }

  private static func percent(_ share: Double) -> String { "\(decimals(100 * share, 1)) %" }

  private static func decimals(_ value: Double, _ count: Int) -> String {
    String(format: "%.\(count)f", value)
  }
}
