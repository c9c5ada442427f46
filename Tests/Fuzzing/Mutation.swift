import Randomness

/// Inputs made from real ones by a few random changes, the same ones for the same generator.
struct Mutation {
  let seeds: [[UInt8]]

  /// Whole numbers at which sizes and counts go wrong.
  private static let numbers: [UInt64] = [
    0, 1, 2, 127, 128, 255, 256, 32767, 65535, 65536, 1 << 31 - 1, 1 << 31, 1 << 32 - 1, 1 << 32,
    1 << 40, 1 << 62, 1 << 63 - 1, 1 << 63, .max - 1, .max,
  ]
  private static let texts = [
    "", "0", "-1", "1e999", "-1e-400", "9223372036854775807", "9223372036854775808", "2147483648",
    "null", "true", "{}", "[]", "\"\"", "\"\\ud800\"", "\u{0}", "\u{FEFF}", "NaN", "é", "👩‍👩‍👧",
    "=1+1", "\r\n", "\n\n", ",,,", "\\", "../../x", String(repeating: "[", count: 3000),
    String(repeating: "{\"a\":", count: 500), String(repeating: "9", count: 400),
  ]

  /// The input of `generator`.
  func input(_ generator: inout SeededGenerator) -> [UInt8] {
    var bytes = seeds[generator.index(below: seeds.count)]
    for _ in 0...generator.index(below: 4) { change(&bytes, &generator) }
    return bytes
  }

  private func change(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
    // Half of the places lie in the start, where headers are.
    let length = generator.chance(0.5) ? min(bytes.count, 600) : bytes.count
    let place = length == 0 ? 0 : generator.index(below: length)
    let span = min(generator.index(below: 40) + 1, bytes.count - place)
    switch generator.index(below: 11) {
    case 0 where place < bytes.count: bytes[place] ^= 1 << UInt8(generator.index(below: 8))
    case 1 where place < bytes.count: bytes[place] = UInt8(generator.index(below: 256))
    case 2, 3:
      var number = Self.numbers[generator.index(below: Self.numbers.count)]
      let width = [1, 2, 4, 8][generator.index(below: 4)]
      for offset in 0..<min(width, bytes.count - place) {
        bytes[place + offset] = UInt8(truncatingIfNeeded: number)
        number >>= 8
      }
    case 4: bytes.removeSubrange(place..<place + span)
    case 5: bytes.insert(contentsOf: bytes[place..<place + span], at: place)
    case 6: bytes.removeLast(bytes.count - place)
    case 7:
      let other = seeds[generator.index(below: seeds.count)]
      let start = other.isEmpty ? 0 : generator.index(below: other.count)
      bytes.replaceSubrange(
        place..<place + span, with: other[start..<min(start + span, other.count)])
    case 8, 9:
      // A number or a string of a text in place of another.
      let text = Self.texts[generator.index(below: Self.texts.count)].utf8
      bytes.replaceSubrange(token(at: place, in: bytes), with: text)
    default:
      bytes.insert(
        contentsOf: (0..<span).map { _ in UInt8(generator.index(below: 256)) }, at: place)
    }
  }

  /// The run of letters, digits, signs and points around `place`.
  private func token(at place: Int, in bytes: [UInt8]) -> Range<Int> {
    func belongs(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"):
        true
      default: false
      }
    }
    var (start, end) = (place, place)
    while start > 0, belongs(bytes[start - 1]) { start -= 1 }
    while end < bytes.count, belongs(bytes[end]) { end += 1 }
    return start..<end
  }
}
