import Serving
import TestSupport
import Testing
import Tokenizers

@Suite("The text of a response")
struct ResponseTextTests {
  private static let text = "naïve “日本語” 🤖👩‍👩‍👧 e\u{301}\r\nend"

  @Test(
    "comes in whole characters, and together is what the tokenizer decodes",
    arguments: ["gpt2", "smollm2", "llama2", "qwen2"])
  func characters(name: String) throws {
    let tokenizer = try Tokenizer(path: fixture("tokenizers/" + name).path)
    let tokens = tokenizer.encode(Self.text)
    var response = ResponseText(tokenizer, stops: ["\u{1F916}!", "xyz"], ends: [])
    let pieces = tokens.map { response.append($0) }
    let texts = pieces.map(\.text) + [response.rest()]
    #expect(Array(texts.joined().utf8) == Array(tokenizer.decode(tokens).utf8))
    #expect(!texts.contains { $0.contains("\u{FFFD}") })
    // Some character is spread over tokens.
    #expect(pieces.contains { $0.text.isEmpty && !$0.bytes.isEmpty })
    #expect(!response.isStopped)
  }

  @Test("ends before the first stop string, wherever tokens begin", arguments: ["gpt2", "smollm2"])
  func stops(name: String) throws {
    let tokenizer = try Tokenizer(path: fixture("tokenizers/" + name).path)
    let tokens = tokenizer.encode(Self.text)
    for (stops, expected) in [
      (["本語"], "naïve “日"), (["👧", "🤖"], "naïve “日本語” "), (["\n"], "naïve “日本語” 🤖👩‍👩‍👧 e\u{301}\r"),
      (["e\u{301}\r\nend of"], Self.text), (["naïve"], ""), (["é"], Self.text),
    ] {
      var response = ResponseText(tokenizer, stops: stops, ends: [])
      var text = ""
      for token in tokens where !response.isStopped { text += response.append(token).text }
      #expect(response.isStopped == (expected != Self.text))
      text += response.rest()
      #expect(Array(text.utf8) == Array(expected.utf8), "\(stops)")
    }
  }

  @Test("Bytes that more can complete are told from those that nothing can")
  func tails() {
    let cases: [([UInt8], Int)] = [
      ([], 0), ([0x61], 0), ([0x61, 0xC3], 1), ([0xC3, 0xA9], 0), ([0xE2], 1), ([0xE2, 0x80], 2),
      ([0xE2, 0x80, 0x9C], 0), ([0xF0, 0x9F, 0xA4], 3), ([0xF0, 0x9F, 0xA4, 0x96], 0),
      ([0xE0, 0x80], 0), ([0xED, 0xA0], 0), ([0xF4, 0x90], 0), ([0xF0, 0x80], 0), ([0xC0], 0),
      ([0xFF], 0), ([0x80, 0x80, 0x80, 0x80], 0), ([0xED, 0x9F], 2), ([0xF4, 0x8F], 2),
    ]
    for (bytes, count) in cases {
      #expect(ResponseText.incompleteTail(bytes) == count, "\(bytes)")
      // Decoded in two parts, the text is the same.
      let rest = Array(bytes.suffix(count)) + [0x62]
      #expect(
        String(decoding: bytes.dropLast(count), as: UTF8.self)
          + String(decoding: rest, as: UTF8.self)
          == String(decoding: bytes + [0x62], as: UTF8.self))
    }
  }
}
