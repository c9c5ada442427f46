/// A token that is found in the text before the model sees it.
struct AddedToken: Sendable {
  var id: Int
  var content: String
  /// Whether it stands for something other than text, so that decoding can leave it out.
  var isSpecial = false
  /// Whether it is looked for in the normalized text, in its own normalized form.
  var isNormalized = false
  /// Whether it only counts where no `\w` touches it.
  var isSingleWord = false
  /// Whether it takes the white space before it, or after it, with it.
  var stripsLeft = false
  var stripsRight = false
}

/// Finds added tokens in text: the leftmost, and the longest of those that begin there.
struct AddedTokenMatcher: Sendable {
  /// The patterns that begin with a byte, longest first.
  private var patterns: [[(content: [UInt8], token: AddedToken)]] = Array(repeating: [], count: 256)
  private(set) var isEmpty = true

  /// Looks for each token as the text that stands beside it.
  init(_ tokens: [(content: [UInt8], token: AddedToken)]) {
    for pattern in tokens {
      guard let first = pattern.content.first else { continue }
      patterns[Int(first)].append(pattern)
      isEmpty = false
    }
    for byte in patterns.indices { patterns[byte].sort { $0.content.count > $1.content.count } }
  }

  /// Calls `body` with the runs of text between added tokens (`token` nil; never empty) and with
  /// the tokens.
  func forEachSegment(of text: UTF8Text, _ body: (Range<Int>, _ token: AddedToken?) -> Void) {
    var (segmentStart, index) = (0, 0)
    while !isEmpty, index < text.count {
      guard
        let (content, token) = patterns[Int(text[index])].first(where: {
          text.starts(with: $0.content, at: index)
        })
      else {
        index += 1
        continue
      }
      var (start, end) = (index, index + content.count)
      index = end
      if token.isSingleWord,
        (start > 0 && text.scalar(endingAt: start).scalar.isWord)
          || (end < text.count && text.scalar(at: end).scalar.isWord)
      {
        continue
      }
      if token.stripsLeft {
        while start > segmentStart {
          let (scalar, scalarStart) = text.scalar(endingAt: start)
          guard scalar.properties.isWhitespace else { break }
          start = scalarStart
        }
      }
      if token.stripsRight {
        while end < text.count {
          let (scalar, scalarEnd) = text.scalar(at: end)
          guard scalar.properties.isWhitespace else { break }
          end = scalarEnd
        }
      }
      if segmentStart < start { body(segmentStart..<start, nil) }
      body(start..<end, token)
      segmentStart = end
    }
    if segmentStart < text.count { body(segmentStart..<text.count, nil) }
  }
}
