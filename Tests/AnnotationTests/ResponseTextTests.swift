import Annotation
import Testing

@Suite("A response in a raw text")
struct ResponseTextTests {
  @Test(
    "stands after its reasoning block, which may lack its beginning",
    arguments: [
      ("<think>\nIs it 9? No.\n</think>\n\nSo 6.", "\n\nSo 6."),
      ("Is it 9? No.\n</think>\n\nSo 6.", "\n\nSo 6."),
      ("<think>a <think>b</think> c</think>So 6.", "So 6."),
      ("First.<think>a</think> Then.<think>b</think> So 6.", "First. Then. So 6."),
      ("[THINK]a[/THINK]So 6.", "So 6."), ("◁think▷a◁/think▷So 6.", "So 6."),
      ("<thinking>a</thinking><reasoning>b</reasoning>So 6.", "So 6."),
      (
        "<|channel|>analysis<|message|>9?<|end|><|start|>assistant<|channel|>final<|message|>So 6.<|return|>",
        "So 6."
      ),
      ("Think: 1 < 2 and 3 > 2. So 6.", "Think: 1 < 2 and 3 > 2. So 6."), ("", ""),
    ])
  func reasoning(_ raw: String, _ text: String) {
    let response = ResponseText(raw)
    #expect(response.text == text && !response.isUnfinished)
  }

  @Test(
    "is not there while its reasoning is not finished",
    arguments: [
      "<think>\nIs it 6?", "<think>a</think>So 6.<think>", "<|channel|>analysis<|message|>So 6",
    ])
  func unfinished(_ raw: String) {
    #expect(ResponseText(raw).isUnfinished)
  }

  @Test(
    "ends before an end-of-turn token and begins after a start token",
    arguments: [
      "So 6.<|im_end|>", "So 6.</s>", "So 6.<|eot_id|><|start_header_id|>user", "So 6.<eos>",
      "So 6.<|endoftext|>Another text", "So 6.<end_of_turn>\n", "So 6.<｜end▁of▁sentence｜>",
      "So 6.<|END_OF_TURN_TOKEN|>", "So 6.<|end|>", "So 6.[/INST]", "<s> So 6.</s>",
      "<|im_start|>assistant\nSo 6.<|im_end|>", "<|begin_of_text|>So 6.<|end_of_text|>",
    ])
  func specialTokens(_ raw: String) {
    let response = ResponseText(raw)
    #expect(response.text == "So 6." && response.hasEnd)
  }

  @Test("keeps what only looks like a special token", arguments: ["|a| <|b|> c", "x</sub>", "a<b"])
  func others(_ raw: String) {
    #expect(ResponseText(raw).text == raw && !ResponseText(raw).hasEnd)
  }

  @Test("ends before the first stop text")
  func stops() {
    let response = ResponseText("So 6.\r\nQ: And?\n\nEnd", stop: ["End", "\nQ: ", ""])
    #expect(response.text == "So 6.\r" && response.hasEnd)
    #expect(!ResponseText("So 6.", stop: ["\nQ: "]).hasEnd)
  }

  @Test("is garbled where it holds replacement or control characters")
  func garbled() {
    for raw in ["3 \u{fffd} pens", "a\0b", "a\u{1b}[1m", "a\u{85}b"] {
      #expect(ResponseText(raw).isGarbled, "\(raw.debugDescription)")
    }
    for raw in ["3 € – 🖊\u{fe0f}\u{200d}", "a\tb\r\n"] { #expect(!ResponseText(raw).isGarbled) }
  }

  @Test("is found in linear time", .timeLimit(.minutes(1)))
  func long() {
    let marks = String(repeating: "<think>a</think>b", count: 5000)
    #expect(ResponseText(marks).text.count == 5000)
    #expect(ResponseText(String(repeating: "</think>", count: 5000)).text.isEmpty)
  }
}
