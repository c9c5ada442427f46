/// Text as it stands, or as it reads after decoding, each byte with the place in the original that it comes from.
///
/// Decoded are escapes (`%2F` of a URL, `\/` and `\u002f` of JSON, `&#47;` of HTML) and Base64 of both alphabets, such as
/// that of `Authorization: Basic`; twice, so that Base64 in a URL is found as well.
struct EncodedText {
  private var bytes: [UInt8]
  /// Where in the original each byte comes from.
  private var starts: [Int]
  private var ends: [Int]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    starts = Array(0..<bytes.count)
    ends = Array(1..<bytes.count + 1)
  }

  private init() { (bytes, starts, ends) = ([], [], []) }

  private mutating func append(_ byte: UInt8, from start: Int, to end: Int) {
    bytes.append(byte)
    starts.append(start)
    ends.append(end)
  }

  /// The parts of the original that hold, in any reading, a run of `shortest` bytes of `key` or more, or all of a
  /// shorter key; in their order, and none touches another.
  func ranges(ofRunsIn key: [UInt8], shortest: Int) -> [Range<Int>] {
    let length = min(shortest, key.count)
    let windows = Set((0...key.count - length).map { key[$0..<$0 + length] })
    let search = Search(windows: windows, bytes: Set(key), length: length)
    var found: [Range<Int>] = []
    collect(search, depth: 2, into: &found)
    var merged: [Range<Int>] = []
    for range in found.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if let last = merged.last, range.lowerBound <= last.upperBound {
        merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    return merged
  }

  private struct Search {
    /// The runs of `length` bytes of the key.
    let windows: Set<ArraySlice<UInt8>>
    let bytes: Set<UInt8>
    let length: Int
  }

  private func collect(_ search: Search, depth: Int, into found: inout [Range<Int>]) {
    var begin = 0
    for place in bytes.indices {
      guard search.bytes.contains(bytes[place]) else {
        begin = place + 1
        continue
      }
      let first = place + 1 - search.length
      if first >= begin, search.windows.contains(bytes[first...place]) {
        found.append(starts[first]..<ends[place])
      }
    }
    guard depth > 0 else { return }
    for reading in [unescaped].compactMap(\.self) + decodedBase64(shortest: search.length) {
      reading.collect(search, depth: depth - 1, into: &found)
    }
  }

  // MARK: Escapes

  /// nil where nothing is escaped.
  private var unescaped: EncodedText? {
    guard bytes.contains(where: { $0 == 0x25 || $0 == 0x5c || $0 == 0x26 }) else { return nil }
    var result = EncodedText()
    var place = 0
    while place < bytes.count {
      let (byte, length) = escape(at: place) ?? (bytes[place], 1)
      result.append(byte, from: starts[place], to: ends[place + length - 1])
      place += length
    }
    return result.bytes.count < bytes.count ? result : nil
  }

  /// The ASCII character that an escape at `place` stands for, and the escape's length.
  private func escape(at place: Int) -> (UInt8, length: Int)? {
    let rest = bytes[place...].prefix(10)
    func number(_ digits: ArraySlice<UInt8>, radix: Int) -> UInt8? {
      UInt8(String(decoding: digits, as: UTF8.self), radix: radix).flatMap { $0 < 0x80 ? $0 : nil }
    }
    switch bytes[place] {
    case UInt8(ascii: "%"):
      let digits = rest.dropFirst().prefix(2)
      return digits.count == 2 ? number(digits, radix: 16).map { ($0, 3) } : nil
    case UInt8(ascii: "\\"):
      guard let next = rest.dropFirst().first else { return nil }
      guard next == UInt8(ascii: "u") else {
        return [UInt8(ascii: "/"), UInt8(ascii: "\\"), UInt8(ascii: "\"")].contains(next)
          ? (next, 2) : nil
      }
      let digits = rest.dropFirst(2).prefix(4)
      return digits.count == 4 ? number(digits, radix: 16).map { ($0, 6) } : nil
    case UInt8(ascii: "&"):
      guard let end = rest.firstIndex(of: UInt8(ascii: ";")) else { return nil }
      let name = rest[(place + 1)..<end]
      let byte: UInt8?
      if name.first == UInt8(ascii: "#") {
        let isHexadecimal = name.dropFirst().first.map { $0 | 0x20 } == UInt8(ascii: "x")
        byte = number(name.dropFirst(isHexadecimal ? 2 : 1), radix: isHexadecimal ? 16 : 10)
      } else {
        byte = Self.entities[String(decoding: name, as: UTF8.self)]
      }
      return byte.map { ($0, end + 1 - place) }
    default: return nil
    }
  }

  private static let entities: [String: UInt8] = [
    "amp": UInt8(ascii: "&"), "lt": UInt8(ascii: "<"), "gt": UInt8(ascii: ">"),
    "quot": UInt8(ascii: "\""), "apos": UInt8(ascii: "'"),
  ]

  // MARK: Base64

  /// What the runs of Base64 digits hold that are long enough for `shortest` bytes, once for each place in a group of
  /// four at which they may begin.
  private func decodedBase64(shortest: Int) -> [EncodedText] {
    let digits = bytes.map { Self.base64Values[Int($0)] }
    let least = (4 * shortest + 2) / 3
    var runs: [Range<Int>] = []
    var begin = 0
    for place in 0...digits.count where place == digits.count || digits[place] == nil {
      if place - begin >= least { runs.append(begin..<place) }
      begin = place + 1
    }
    if runs.isEmpty { return [] }
    return (0..<4).map { offset in
      var result = EncodedText()
      for run in runs {
        var (bits, count, first) = (UInt32(0), 0, 0)
        for place in run.dropFirst(offset) {
          bits = bits << 6 | UInt32(digits[place] ?? 0)
          count += 6
          guard count >= 8 else {
            first = place
            continue
          }
          count -= 8
          result.append(
            UInt8(truncatingIfNeeded: bits >> count), from: starts[first], to: ends[place])
          first = place
        }
        // No run goes on into the next one.
        result.append(0, from: starts[run.lowerBound], to: starts[run.lowerBound])
      }
      return result
    }
  }

  /// The value of each digit of Base64, in either alphabet (RFC 4648, sections 4 and 5).
  private static let base64Values: [UInt8?] = {
    var values = [UInt8?](repeating: nil, count: 256)
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    for (value, digit) in digits.utf8.enumerated() { values[Int(digit)] = UInt8(value) }
    for (digit, value) in [("+", 62), ("-", 62), ("/", 63), ("_", 63)] as [(Character, UInt8)] {
      values[Int(digit.asciiValue ?? 0)] = value
    }
    return values
  }()
}
