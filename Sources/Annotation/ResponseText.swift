import Foundation

/// The response in a teacher's raw text: without reasoning blocks, special tokens, and whatever
/// follows an end-of-turn token or a stop text.
package struct ResponseText: Hashable {
  package var text: String
  /// An end-of-turn token or a stop text ends the response, so that it is whole even if the raw text
  /// was cut off later.
  package var hasEnd = false
  /// A reasoning block begins and does not end: there is no response.
  package var isUnfinished = false

  /// - Parameter stop: Texts that end the response, for servers that ignore them.
  package init(_ raw: String, stop: [String] = []) {
    text = raw
    removeHarmonyChannels()
    removeReasoning()
    removeSpecialTokens()
    let (response, isStopped) = text.cut(before: stop)
    text = response
    hasEnd = hasEnd || isStopped
  }

  /// Whether the text holds U+FFFD, which stands for bytes that are not text, or control characters.
  package var isGarbled: Bool {
    text.unicodeScalars.contains {
      $0 == "\u{fffd}" || ($0.value < 0x20 && !"\t\n\r\u{c}".unicodeScalars.contains($0))
        || (0x7f...0x9f).contains($0.value)
    }
  }

  /// The marks around a reasoning block. A template may put the first one into the prompt, so that
  /// the text shows the last one alone.
  private static let reasoningMarks = [
    ("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"), ("<seed:think>", "</seed:think>"), ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
  ]

  /// In time linear in the text, however many blocks it has.
  private mutating func removeReasoning() {
    for (begin, end) in Self.reasoningMarks where text.contains(begin) || text.contains(end) {
      let (bytes, begin, end) = (Array(text.utf8), Array(begin.utf8), Array(end.utf8))
      var kept: [UInt8] = []
      // Where the text after the last block starts, and where a block that is not closed does.
      var (start, open): (Int, Int?) = (0, nil)
      var place = 0
      while place < bytes.count {
        if bytes[place...].starts(with: end) {
          // Without a beginning, all that stands before the end is reasoning.
          if let open { kept += bytes[start..<open] } else { kept = [] }
          place += end.count
          (start, open) = (place, nil)
        } else if open == nil, bytes[place...].starts(with: begin) {
          open = place
          place += begin.count
        } else {
          place += 1
        }
      }
      isUnfinished = isUnfinished || open != nil
      text = String(decoding: kept + bytes[start..<(open ?? bytes.count)], as: UTF8.self)
    }
  }

  /// Takes the final channel of OpenAI's harmony format, if the text has channels.
  ///
  /// Source: https://cookbook.openai.com/articles/openai-harmony.
  private mutating func removeHarmonyChannels() {
    guard text.contains("<|channel|>") else { return }
    let final = "<|channel|>final<|message|>"
    guard let start = text.range(of: final, options: .backwards) else {
      isUnfinished = true
      text = ""
      return
    }
    text.removeSubrange(..<start.upperBound)
  }

  // `Regex` is not `Sendable`; these are compiled anew for each text, which costs microseconds.
  private mutating func removeSpecialTokens() {
    let start = #/^\s*(<s>|<bos>|<\|begin_of_text\|>|<\|im_start\|>(assistant)?)\s*/#
    if let match = text.prefixMatch(of: start) { text.removeSubrange(match.range) }
    // `<|name|>` covers most families; DeepSeek writes full-width bars.
    let end =
      #/<\|[A-Za-z][A-Za-z_]{2,}\|>|<｜[^｜<>\n]{3,30}｜>|</s>|<(eos|bos|pad|unk)>|<(end|start)_of_turn>|\[/?INST\]/#
    if let match = text.firstMatch(of: end) {
      text.removeSubrange(match.range.lowerBound...)
      hasEnd = true
    }
  }
}

extension String {
  /// The text before the first of `stops`, and whether there is one.
  func cut(before stops: [String]) -> (text: String, isCut: Bool) {
    let ends = stops.compactMap { $0.isEmpty ? nil : range(of: $0, options: .literal)?.lowerBound }
    return ends.min().map { (String(self[..<$0]), true) } ?? (self, false)
  }
}
