/// How the contents of tokens become text again: each step turns a list of strings, in UTF-8, into
/// another, and the last list is joined.
enum TokenDecoder: Sendable {
  /// GPT-2's alphabet back to bytes; a token with a character outside it stands for itself.
  case byteLevel
  case replace([UInt8], with: [UInt8])
  /// Runs of tokens "<0x00>" to "<0xFF>" become text; each becomes U+FFFD where a run is not UTF-8.
  case byteFallback
  /// Joins all.
  case fuse
  /// Takes up to `start` of a scalar off the start of each, and up to `stop` off its end.
  case strip(Unicode.Scalar, start: Int, stop: Int)
  /// "▁" becomes a space, in the first token nothing where one was put before the text.
  case metaspace(PreTokenizer.PrependScheme)
  /// What no decoder does: a space between tokens.
  case spaceSeparated
  case sequence([TokenDecoder])

  func text(of tokens: [[UInt8]]) -> String {
    String(decoding: decode(tokens).joined(), as: UTF8.self)
  }

  private func decode(_ tokens: [[UInt8]]) -> [[UInt8]] {
    switch self {
    case .byteLevel:
      let bytes = tokens.flatMap {
        ByteAlphabet.bytes(of: String(decoding: $0, as: UTF8.self).unicodeScalars) ?? $0
      }
      return [Array(String(decoding: bytes, as: UTF8.self).utf8)]
    case .replace(let pattern, let content):
      return tokens.map { $0.replacing(pattern, with: content) }
    case .byteFallback:
      var (decoded, run) = ([[UInt8]](), [UInt8]())
      func endRun() {
        guard !run.isEmpty else { return }
        if String(validating: run, as: UTF8.self) != nil {
          decoded.append(run)
        } else {
          decoded.append(contentsOf: run.map { _ in Array("\u{FFFD}".utf8) })
        }
        run = []
      }
      for token in tokens {
        if let byte = Self.fallbackByte(token) {
          run.append(byte)
        } else {
          endRun()
          decoded.append(token)
        }
      }
      endRun()
      return decoded
    case .fuse:
      return [Array(tokens.joined())]
    case .strip(let scalar, let start, let stop):
      let unit = Array(String(scalar).utf8)
      return tokens.map { token in
        var token = token[...]
        for _ in 0..<start where token.starts(with: unit) { token = token.dropFirst(unit.count) }
        for _ in 0..<stop where token.reversed().starts(with: unit.reversed()) {
          token = token.dropLast(unit.count)
        }
        return Array(token)
      }
    case .metaspace(let scheme):
      return tokens.enumerated().map { index, token in
        token.replacing(
          Tokenizers.metaspace, with: index == 0 && scheme != .never ? [] : [UInt8(ascii: " ")])
      }
    case .spaceSeparated:
      return [Array(tokens.joined(separator: [UInt8(ascii: " ")]))]
    case .sequence(let decoders):
      return decoders.reduce(tokens) { $1.decode($0) }
    }
  }

  /// The bytes that each token adds to the text: joined, those of the text. A character's may be
  /// spread over several tokens.
  func bytes(of tokens: [[UInt8]]) -> [[UInt8]] {
    switch self {
    case .byteLevel:
      return tokens.map {
        ByteAlphabet.bytes(of: String(decoding: $0, as: UTF8.self).unicodeScalars) ?? $0
      }
    case .byteFallback:
      return tokens.map { token in Self.fallbackByte(token).map { [$0] } ?? token }
    case .fuse:
      return tokens
    case .replace, .strip, .metaspace:
      return decode(tokens)
    case .spaceSeparated:
      return tokens.enumerated().map { $0 == 0 ? $1 : [UInt8(ascii: " ")] + $1 }
    case .sequence(let decoders):
      var (tokens, isFused) = (tokens, false)
      for decoder in decoders {
        switch decoder {
        case .fuse:
          isFused = true
        case .strip(let scalar, let start, let stop) where isFused && !tokens.isEmpty:
          // Of the whole text, its first and its last token.
          let last = tokens.count - 1
          tokens[0] = Self.strip(scalar, start: start, stop: 0).decode([tokens[0]])[0]
          tokens[last] = Self.strip(scalar, start: 0, stop: stop).decode([tokens[last]])[0]
        default:
          tokens = decoder.bytes(of: tokens)
        }
      }
      return tokens
    }
  }

  /// The byte that a token "<0x0A>" stands for.
  static func fallbackByte(_ token: some Collection<UInt8>) -> UInt8? {
    guard token.count == 6, token.starts(with: "<0x".utf8),
      token.dropFirst(5).first == UInt8(ascii: ">")
    else { return nil }
    return UInt8(String(decoding: token.dropFirst(3).prefix(2), as: UTF8.self), radix: 16)
  }
}
