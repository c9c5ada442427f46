/// GPT-2's way to write any byte as a visible character: the printable ones of Latin-1 stand for
/// themselves, the others, in order, for U+0100 and on.
///
/// Source: `bytes_to_unicode` in https://github.com/openai/gpt-2/blob/master/src/encoder.py
enum ByteAlphabet {
  static let scalarOfByte: [Unicode.Scalar] = {
    var unprintable: UInt16 = 0x100
    return (UInt8.min...UInt8.max).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return Unicode.Scalar(byte)
      default:
        defer { unprintable += 1 }
        return Unicode.Scalar(unprintable) ?? "\u{FFFD}"
      }
    }
  }()

  private static let byteOfScalar = Dictionary(
    uniqueKeysWithValues: zip(scalarOfByte, UInt8.min...UInt8.max))

  /// `bytes` in this alphabet.
  static func text(of bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    for byte in bytes { text.append(scalarOfByte[Int(byte)]) }
    return String(text)
  }

  /// The bytes that `text` stands for; nil where a character is not of this alphabet.
  static func bytes(of text: some Sequence<Unicode.Scalar>) -> [UInt8]? {
    var bytes: [UInt8] = []
    for scalar in text {
      guard let byte = byteOfScalar[scalar] else { return nil }
      bytes.append(byte)
    }
    return bytes
  }
}
