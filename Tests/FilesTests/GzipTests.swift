import Files
import Foundation
import Testing

@Suite struct GzipTests {
  /// Python's `gzip.GzipFile(filename="pairs.jsonl", mtime=0)` of `line`, and the same without a name.
  private static let named =
    "H4sICAAAAAAC/3BhaXJzLmpzb25sAKtWKijKzy0oUbJSUHIvOrzt8PxUJR0FpeSM/OLUPJCggiGIX5SalZpckpoCFjFSquUCAKS1PjM4AAAA"
  private static let nameless =
    "H4sIAAAAAAAC/6tWKijKzy0oUbJSUHIvOrzt8PxUJR0FpeSM/OLUPJCggiGIX5SalZpckpoCFjFSquUCAKS1PjM4AAAA"
  private static let line = #"{"prompt": "Größe", "chosen": " 1", "rejected": " 2"}"# + "\n"

  private func bytes(_ base64: String) throws -> [UInt8] {
    [UInt8](try #require(Data(base64Encoded: base64)))
  }

  private func text(_ bytes: [UInt8]) throws -> [UInt8] {
    let path = NSTemporaryDirectory() + "gzip-\(UUID().uuidString)"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try FileContents.text(of: path)
  }

  @Test(
    "Members of gzip, with and without a name, one after the other, and zeros behind them, are read"
  )
  func members() throws {
    let (named, nameless) = (try bytes(Self.named), try bytes(Self.nameless))
    #expect(try text(named) == Array(Self.line.utf8))
    #expect(
      try text(named + nameless + named + [UInt8](repeating: 0, count: 512))
        == Array((Self.line + Self.line + Self.line).utf8))
  }

  @Test("Lines of a gzip file are found by its first bytes, whatever its name")
  func lines() throws {
    let path = NSTemporaryDirectory() + "pairs-\(UUID().uuidString).jsonl"
    let named = try bytes(Self.named)
    try Data(named + named).write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    let objects = try JSONLinesFile.objects(of: path)
    #expect(try objects.map { try $0.string("prompt") } == ["Größe", "Größe"])
    #expect(objects[1].location == "line 2")
    // A checksum is that of the file as it is.
    #expect(try SHA256.hex(ofFileAt: path) == SHA256.hex(of: named + named))
  }

  @Test("Data that are cut short, changed or followed by others are refused with their place")
  func damage() throws {
    let whole = try bytes(Self.nameless)
    func error(_ bytes: [UInt8]) -> FileError? {
      #expect(throws: FileError.self) { try text(bytes) }
    }
    for end in 2..<whole.count {
      let error = error(Array(whole[..<end]))
      #expect(error?.location == "byte \(end) of the gzip data", "\(end)")
      #expect(error?.found == "the end of the file")
    }
    for (index, found) in [
      (whole.count - 8, "incorrect data check"), (whole.count - 4, "incorrect length check"),
      (2, "unknown compression method"), (10, "invalid"),
    ] {
      var changed = whole
      changed[index] ^= index == 10 ? 0x06 : 0x40
      #expect(
        error(changed)?.found.contains(found) == true, "\(index) \(error(changed)?.found ?? "")")
    }
    let others = error(whole + Array("text".utf8))
    #expect(others?.location == "byte \(whole.count) of the gzip data")
    #expect(others?.expected == "another gzip member or the end")
    // UTF-16 stays refused.
    #expect(error([0xFF, 0xFE, 0x7B, 0])?.found.hasPrefix("UTF-16") == true)
  }

  @Test("A file that is made to fill the memory is refused before it does")
  func bomb() throws {
    // A mebibyte of zeros, compressed by Python's gzip.
    let start: [UInt8] = [
      0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 0xFF, 0xED, 0xC1, 0x31, 1, 0, 0, 0, 0xC2, 0xA0, 0xF5, 0x4F,
      0x6D, 8,
      0x5F, 0xA0,
    ]
    let member =
      start + [UInt8](repeating: 0, count: 1016) + [62, 3, 28, 234, 56, 167, 0, 0, 16, 0]
    #expect(member.count == 1051)
    let error = #expect(throws: FileError.self) {
      try text(Array(repeatElement(member, count: 200).joined()))
    }
    #expect(error?.expected == "at most 256 times as many bytes as the file's 210200")
    // As much as a small file may grow to.
    #expect(try text(Array(repeatElement(member, count: 16).joined())).count == 16 << 20)
  }
}
