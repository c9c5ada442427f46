import Files
import Foundation
import Reasoning
import TestSupport
import Testing

@Suite struct LabelledChainTests {
  private func chains(_ lines: String, task: String = "tracking_shuffled_objects") throws
    -> [LabelledChain]
  {
    let folder = try TemporaryFolder()
    try folder.write(lines, to: "\(task).jsonl")
    return try LabelledChain.bigBenchMistake(at: "\(folder.path)/\(task).jsonl")
  }

  /// Ida, Jon and Kay swap mugs twice; the fields of a line.
  private let mugs =
    #""input": "Ida, Jon, and Kay trade mugs. At the start, they each hold one: Ida has a tin mug, "#
    + #"Jon has a glass mug, and Kay has a clay mug.\nFirst, Ida and Kay swap mugs. Finally, Kay and "#
    + #"Jon swap mugs. At the end, Kay has the\nOptions:\n(A) tin mug.\n(B) glass mug.\n(C) clay mug.", "#
    + #""target": "(B)""#

  private func tracking(_ steps: [String], mistake: Int?) throws -> LabelledChain {
    let list = steps.map { "\"\($0)\"" }.joined(separator: ", ")
    return try #require(
      chains(
        "{\(mugs), \"steps\": [\(list)], \"mistake_index\": \(mistake.map(String.init) ?? "null")}"
      )
      .first)
  }

  @Test(
    "Wrong lists of holdings, and what is concluded from them, are put right in the chain's words")
  func tracking() throws {
    let chain = try tracking(
      [
        "At the start: Ida: tin mug, Jon: glass mug, Kay: clay mug.",
        "Ida and Kay swap: Ida: clay mug, Jon: glass mug, Kay: tin mug.",
        "Kay and Jon swap: Ida: clay mug, Jon: glass mug, Kay: tin mug.",
        "At the end, Kay has the tin mug. So the answer is (A)",
      ], mistake: 2)
    #expect(
      chain.correctedSteps == [
        "At the start: Ida: tin mug, Jon: glass mug, Kay: clay mug.",
        "Ida and Kay swap: Ida: clay mug, Jon: glass mug, Kay: tin mug.",
        "Kay and Jon swap: Ida: clay mug, Jon: tin mug, Kay: glass mug.",
        "At the end, Kay has the glass mug. So the answer is (B)",
      ])
    // Initials, no list of the start, fewer names, and the answer in the last list's step.
    let short = try tracking(
      ["I: clay mug, K: glass mug", "J: tin mug, K: glass mug So the answer is (A)"], mistake: 0)
    #expect(
      short.correctedSteps == [
        "I: clay mug, K: tin mug", "J: tin mug, K: glass mug So the answer is (B)",
      ])
  }

  @Test("A chain without a mistake, of another form or with too few lists is left alone")
  func uncorrected() throws {
    let right = [
      "Ida and Kay swap: Ida: clay mug, Jon: glass mug, Kay: tin mug.",
      "Kay and Jon swap: Ida: clay mug, Jon: tin mug, Kay: glass mug. So the answer is (B)",
    ]
    #expect(try tracking(right, mistake: nil).correctedSteps == nil)
    #expect(try tracking([right[1]], mistake: 0).correctedSteps == nil)
    #expect(try tracking(["I do not know."], mistake: 0).correctedSteps == nil)
    #expect(
      try chains(
        #"{"input": "x", "steps": ["a"], "target": "b", "mistake_index": 0}"#, task: "sorting")[0]
        .correctedSteps == nil)
  }

  @Test("Wrong values of an expression's parts, and of the whole, are put right")
  func arithmetic() throws {
    let line =
      #"{"input": "((2 * 3 - -4) * (5 - 7)) =", "target": "-20", "mistake_index": 1, "steps": ["#
      + #""This equation can be written as \"(A * B)\", where A = (2 * 3 - -4) and B = (5 - 7).", "#
      + #""Let's calculate A = (2 * 3 - -4) = (6 - 4) = 2.", "#
      + #""Let's calculate B = (5 - 7) = (-2).", "#
      + #""Then, the final equation is (A * B) = (2 * -2) = -4. So the answer is -4"]}"#
    let chain = try #require(chains(line, task: "multistep_arithmetic").first)
    let corrected = try #require(chain.correctedSteps)
    #expect(corrected[0] == chain.steps[0] && corrected[2] == chain.steps[2])
    #expect(corrected[1] == "Let's calculate A = (2 * 3 - -4) = 10.")
    #expect(
      corrected[3]
        == "Then, the final equation is (A * B) = (10 * (-2)) = -20. So the answer is -20")
  }

  @Test("The marked step is found in the text")
  func range() throws {
    let chain = try tracking(["One é.", "Two.", "Three."], mistake: 1)
    let range = try #require(chain.mistakeRange)
    #expect(chain.text == " One é.\nTwo.\nThree.")
    #expect(String(decoding: Array(chain.text.utf8)[range], as: UTF8.self) == "\nTwo.")
  }

  @Test("MR-GSM8K's steps count from 1, and calculator notes are left out of its solutions")
  func mrGSM8K() throws {
    let folder = try TemporaryFolder()
    func read(_ label: String) throws -> [LabelledChain] {
      try folder.write(
        #"{"uuid": "u", "question": "q", "ground_truth_solution": "2*3 = <<2*3=6>>6\n#### 6", "#
          + #""ground_truth_answer": 6, "model_output_steps": ["Step 1: 5", "Step 2: 7"], "#
          + #""model_output_solution_first_error_step": \#(label)}"#, to: "mr.jsonl")
      return try LabelledChain.mrGSM8K(at: folder.path + "/mr.jsonl")
    }
    let chain = try read("2")[0]
    #expect(chain.mistake == 1 && chain.gold == "6" && chain.solution == "2*3 = 6\n#### 6")
    for label in ["0", "3", "\"two\""] {
      let error = #expect(throws: FileError.self) { try read(label) }
      #expect(
        error?.description.contains("line 1, model_output_solution_first_error_step") == true,
        "\(error?.description ?? "")")
    }
  }
}
