/// How normalized text is cut into pieces, each of which the model turns into tokens by itself.
struct PreTokenizer: Sendable {
  enum Step: Sendable {
    case split(SplitPattern)
    /// After each occurrence of a string that is not empty.
    case splitAfter([UInt8])
    /// Numbers apart from the rest, each digit by itself or each run of digits.
    case digits(individually: Bool)
    /// A space before the text where it does not begin with one.
    case prefixSpace
    /// Spaces become "▁", and one is put before the text; with `splitting`, each "▁" begins a
    /// piece.
    case metaspace(prepending: PrependScheme, splitting: Bool)
    /// Runs of `\w` and runs of what is neither `\w` nor white space; white space is dropped.
    case words
    /// What stands between white space.
    case whitespaceSeparated
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
    case .split(let pattern):
      var start = 0
      while start < text.count {
        let end = pattern.matchEnd(in: text, from: start)
        emit(start..<end)
        start = end
      }
    case .splitAfter(let pattern):
      var (start, index) = (0, 0)
      while index < text.count {
        guard text.starts(with: pattern, at: index) else {
          index += 1
          continue
        }
        index += pattern.count
        emit(start..<index)
        start = index
      }
      emit(start..<text.count)
    case .digits(let individually):
      var (start, index, inNumber) = (0, 0, false)
      while index < text.count {
        let (scalar, end) = text.scalar(at: index)
        let isNumeric = scalar.isNumeric
        if isNumeric != inNumber || (isNumeric && individually) {
          emit(start..<index)
          (start, inNumber) = (index, isNumeric)
        }
        index = end
      }
      emit(start..<text.count)
    case .prefixSpace:
      guard !position.continues, text[0] != UInt8(ascii: " ") else {
        return apply(rest, to: text, position, body)
      }
      ([UInt8(ascii: " ")] + text).withUnsafeBufferPointer { apply(rest, to: $0, position, body) }
    case .metaspace(let prepending, let splitting):
      var marked = Array(text).replacing([UInt8(ascii: " ")], with: metaspace)
      if prepending == .always && !position.continues || prepending == .first && position.isStart,
        !marked.starts(with: metaspace)
      {
        marked = metaspace + marked
      }
      marked.withUnsafeBufferPointer { marked in
        guard splitting else { return apply(rest, to: marked, position, body) }
        var start = 0
        for index in 1..<marked.count where marked.starts(with: metaspace, at: index) {
          apply(rest, to: marked.part(start..<index), position.part(at: start), body)
          start = index
        }
        apply(rest, to: marked.part(start..<marked.count), position.part(at: start), body)
      }
    case .words:
      emitRuns(of: text, emit) { $0.isWord ? 1 : $0.properties.isWhitespace ? nil : 2 }
    case .whitespaceSeparated:
      emitRuns(of: text, emit) { $0.properties.isWhitespace ? nil : 1 }
    }
  }

  /// Calls `emit` with each longest run of scalars of one `kind`; scalars without a kind are
  /// dropped.
  private func emitRuns(
    of text: UTF8Text, _ emit: (Range<Int>) -> Void, kind: (Unicode.Scalar) -> Int?
  ) {
    var (start, index, current) = (0, 0, Int?.none)
    while index < text.count {
      let (scalar, end) = text.scalar(at: index)
      let next = kind(scalar)
      if next != current {
        if current != nil { emit(start..<index) }
        (start, current) = (index, next)
      }
      index = end
    }
    if current != nil { emit(start..<text.count) }
  }
}

/// "▁" (U+2581), SentencePiece's mark for a space, in UTF-8.
let metaspace: [UInt8] = [0xE2, 0x96, 0x81]
