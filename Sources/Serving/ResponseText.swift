import Tokenizers

/// What one token adds to a response.
package struct ResponsePiece: Sendable {
  package var token: Int
  /// Its bytes in the text; none for a token that is not shown, such as the one that ends a sequence.
  package var bytes: [UInt8] = []
  /// The text that is complete with it. A character that is spread over several tokens comes with the last of them.
  package var text: String
}

/// The text of a response as its tokens come: whole characters, cut before the first stop string.
///
/// Together, the texts are those of `Tokenizer.decode` without special tokens. (Where the bytes of a tokenizer with byte
/// fallback are no UTF-8, the number of U+FFFD in their place may differ.)
package struct ResponseText: Sendable {
  private let tokenizer: Tokenizer
  private let stops: [[UInt8]]
  /// Tokens that end a sequence.
  private let ends: Set<Int>
  /// The last token that is shown, beside which the next one is decoded.
  private var previous: Int?
  /// Bytes that may belong to an incomplete character or to a stop string.
  private var held: [UInt8]
  /// Whether a stop string has come.
  package private(set) var isStopped = false

  /// - Parameters:
  ///   - previous: The token that the response follows in the same text; nil where it is a text of its own.
  ///   - held: The bytes of that text's last character, if it is incomplete.
  package init(
    _ tokenizer: Tokenizer, stops: [String], ends: Set<Int>, after previous: Int? = nil,
    held: [UInt8] = []
  ) {
    self.tokenizer = tokenizer
    self.stops = stops.map { Array($0.utf8) }
    (self.ends, self.previous, self.held) = (ends, previous, held)
  }

  package mutating func append(_ token: Int) -> ResponsePiece {
    if ends.contains(token) || tokenizer.isSpecial(token) {
      return ResponsePiece(token: token, text: "")
    }
    let bytes =
      previous.map { tokenizer.bytes(of: [$0, token])[1] } ?? tokenizer.bytes(of: [token])[0]
    previous = token
    held += bytes
    if let end = stops.compactMap({ held.firstIndex(ofRun: $0) }).min() {
      isStopped = true
      held.removeSubrange(end...)
    }
    return ResponsePiece(token: token, bytes: bytes, text: isStopped ? rest() : ready())
  }

  /// The text that was held back, at the end of the response.
  package mutating func rest() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }

  /// The text before what may still become a stop string or belongs to an incomplete character.
  private mutating func ready() -> String {
    let kept = stops.map { held.suffixLength(beginning: $0) }.max() ?? 0
    let ready = held.prefix(held.count - kept)
    let whole = ready.count - Self.incompleteTail(ready)
    defer { held.removeFirst(whole) }
    return String(decoding: held.prefix(whole), as: UTF8.self)
  }

  /// How many bytes at the end of `bytes` begin a character that more bytes can complete (Unicode 16, table 3-7).
  package static func incompleteTail(_ bytes: some BidirectionalCollection<UInt8>) -> Int {
    var continuations: [UInt8] = []
    for byte in bytes.reversed().prefix(3) {
      if byte & 0xC0 == 0x80 {
        continuations.append(byte)
        continue
      }
      let length =
        switch byte {
        case 0xC2...0xDF: 2
        case 0xE0...0xEF: 3
        case 0xF0...0xF4: 4
        default: 0
        }
      let isPossible =
        switch (byte, continuations.last) {
        case (0xE0, let second?): second >= 0xA0
        case (0xED, let second?): second <= 0x9F
        case (0xF0, let second?): second >= 0x90
        case (0xF4, let second?): second <= 0x8F
        default: true
        }
      return isPossible && continuations.count + 1 < length ? continuations.count + 1 : 0
    }
    return 0
  }
}

extension [UInt8] {
  /// Where `run` first stands.
  fileprivate func firstIndex(ofRun run: [UInt8]) -> Int? {
    guard count >= run.count else { return nil }
    return (0...(count - run.count)).first { self[$0...].starts(with: run) }
  }

  /// The length of the longest end that `run` begins with, less than all of `run`.
  fileprivate func suffixLength(beginning run: [UInt8]) -> Int {
    (0...Swift.max(0, Swift.min(count, run.count - 1))).last { run.starts(with: suffix($0)) } ?? 0
  }
}
