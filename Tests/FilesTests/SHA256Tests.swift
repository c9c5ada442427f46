import Files
import Foundation
import Testing

@Suite("SHA-256")
struct SHA256Tests {
  @Test(
    "gives the digests of FIPS 180-4's examples",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
      (
        "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
      ),
      (
        String(repeating: "a", count: 1_000_000),
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
      ),
    ])
  func examples(text: String, digest: String) {
    #expect(SHA256.hex(of: text) == digest)
  }

  @Test(
    "does not depend on how the bytes are cut, about the borders of a block",
    arguments: [0, 1, 55, 56, 63, 64, 65, 127, 128, 200])
  func pieces(count: Int) {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    for size in [1, 3, 63, 64, 65] {
      var hash = SHA256()
      for start in stride(from: 0, to: count, by: size) {
        hash.update(Array(bytes[start..<min(start + size, count)]))
      }
      #expect(hash.hexDigest() == SHA256.hex(of: bytes))
    }
  }

  @Test("of a file is that of its bytes; a missing file and a folder throw an error that says so")
  func files() throws {
    let path = NSTemporaryDirectory() + "sha256-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let bytes = (0..<3_000_001).map { UInt8(truncatingIfNeeded: $0 &* 131) }
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    #expect(try SHA256.hex(ofFileAt: path) == SHA256.hex(of: bytes))
    let missing = #expect(throws: FileError.self) { try SHA256.hex(ofFileAt: path + ".missing") }
    #expect(missing?.description.contains("no such file") == true)
    let folder = #expect(throws: FileError.self) {
      try SHA256.hex(ofFileAt: NSTemporaryDirectory())
    }
    #expect(folder?.description.contains("expected a readable file, found Is a directory") == true)
  }
}
