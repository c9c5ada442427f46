/// How normalized text is cut into pieces, each of which the model turns into tokens by itself.
struct PreTokenizer: Sendable {
  enum Step: Sendable {
    /// At the matches of a pattern; `inverted`: what stands between them is taken for the matches.
    case split(SplitPattern, SplitBehavior, inverted: Bool)
    /// A space before the text where it does not begin with one.
    case prefixSpace
    /// Spaces become "▁", and one is put before the text.
    case metaspace(prepending: PrependScheme)

    /// At the matches of `pattern`, which become pieces themselves.
    static func isolating(_ pattern: SplitPattern) -> Step {
      .split(pattern, .isolated, inverted: false)
    }
  }

  enum PrependScheme: String, CaseIterable, Sendable {
    case always, first, never
  }

  var steps: [Step] = []
  /// Whether the model's symbols are the bytes of a piece, written in GPT-2's alphabet of 256
  /// characters.
  var isByteLevel = false

  /// Where a text stands.
  struct Position {
    /// Whether it begins the whole input.
    var isStart: Bool
    /// Whether it goes on from other text, so that no space is put before it.
    var continues = false

    /// The position of the part of the text that begins at `offset`.
    func part(at offset: Int) -> Position {
      offset == 0 ? self : Position(isStart: false)
    }
  }

  /// Calls `body` with each piece of `text`, in order.
  func forEachPiece(of text: UTF8Text, at position: Position, _ body: (UTF8Text) -> Void) {
    apply(steps[...], to: text, position, body)
  }

  private func apply(
    _ steps: ArraySlice<Step>, to text: UTF8Text, _ position: Position, _ body: (UTF8Text) -> Void
  ) {
    guard !text.isEmpty else { return }
    guard let step = steps.first else { return body(text) }
    let rest = steps.dropFirst()
    func emit(_ range: Range<Int>) {
      if rest.isEmpty {
        if !range.isEmpty { body(text.part(range)) }
      } else {
        apply(rest, to: text.part(range), position.part(at: range.lowerBound), body)
      }
    }
    switch step {
    case .split(let pattern, .isolated, _):
      pattern.forEachPart(of: text) { range, _ in emit(range) }
    case .split(let pattern, let behavior, let inverted):
      behavior.forEachPiece(of: text, pattern, inverted: inverted, emit)
    case .prefixSpace:
      guard !position.continues, text[0] != UInt8(ascii: " ") else {
        return apply(rest, to: text, position, body)
      }
      ([UInt8(ascii: " ")] + text).withUnsafeBufferPointer { apply(rest, to: $0, position, body) }
    case .metaspace(let prepending):
      var marked = Array(text).replacing([UInt8(ascii: " ")], with: metaspace)
      if prepending == .always && !position.continues || prepending == .first && position.isStart,
        !marked.starts(with: metaspace)
      {
        marked = metaspace + marked
      }
      marked.withUnsafeBufferPointer { apply(rest, to: $0, position, body) }
    }
  }
}

/// What becomes of the matches that text is cut at.
enum SplitBehavior: String, CaseIterable, Sendable {
  /// Each is a piece.
  case isolated = "Isolated"
  /// They are dropped.
  case removed = "Removed"
  /// Those that touch are one piece.
  case contiguous = "Contiguous"
  /// Each ends the piece before it; a match after a match is a piece.
  case mergedWithPrevious = "MergedWithPrevious"
  /// Each begins the piece after it; a match before a match is a piece.
  case mergedWithNext = "MergedWithNext"

  /// Calls `body` with the pieces of `text`, in order.
  ///
  /// Source: `NormalizedString::split` in
  /// https://github.com/huggingface/tokenizers/blob/v0.22.2/tokenizers/src/tokenizer/normalizer.rs
  func forEachPiece(
    of text: UTF8Text, _ pattern: SplitPattern, inverted: Bool, _ body: (Range<Int>) -> Void
  ) {
    // What was read last, which the next part may go on.
    var pending: (range: Range<Int>, isMatch: Bool)?
    pattern.forEachPart(of: text) { range, isMatch in
      let isMatch = isMatch != inverted
      if self == .removed, isMatch { return }
      let joins =
        switch self {
        case .isolated, .removed: false
        case .contiguous: isMatch == pending?.isMatch
        case .mergedWithPrevious: isMatch && pending?.isMatch == false
        case .mergedWithNext: !isMatch && pending?.isMatch == true
        }
      if joins, let last = pending {
        pending = (last.range.lowerBound..<range.upperBound, isMatch)
      } else {
        if let last = pending { body(last.range) }
        pending = (range, isMatch)
      }
    }
    if let last = pending { body(last.range) }
  }
}

/// "▁" (U+2581), SentencePiece's mark for a space, in UTF-8.
let metaspace: [UInt8] = [0xE2, 0x96, 0x81]
