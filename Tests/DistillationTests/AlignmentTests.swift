import Distillation
import KeySteps
import Reasoning
import Synchronization
import TestSupport
import Testing
import Tokenizers

/// Words and sentences as tokenizers of three kinds write them.
@Suite struct AlignmentTests {
  private static let text = " Nina has 3.5 cups. She said \"no.\" Then\n 2 more ; ok?"

  /// The text of each unit.
  private func units(_ unit: AlignmentUnit, _ name: String) throws -> [String] {
    let tokenizer = try ExampleTokenizer(Tokenizer(path: fixture("tokenizers/\(name)").path))
    let tokens = tokenizer.tokenizer.encode(Self.text) + [tokenizer.endOfSequence]
    let starts = tokenizer.unitStarts(unit, of: tokens)
    #expect(starts.first == 0)
    #expect(zip(starts, starts.dropFirst()).allSatisfy { $0 < $1 })
    return zip(starts, starts.dropFirst() + [tokens.count]).map {
      let text = tokenizer.tokenizer.decode(Array(tokens[..<$1]))
      return String(text.dropFirst(tokenizer.tokenizer.decode(Array(tokens[..<$0])).count))
        .filter { !$0.isWhitespace }
    }
  }

  @Test("Words begin where white space does", arguments: ["smollm2", "llama2", "llama3"])
  func words(name: String) throws {
    let words = try units(.word, name)
    #expect(
      words.dropLast().filter { !$0.isEmpty } == [
        "Nina", "has", "3.5", "cups.", "She", "said", "\"no.\"", "Then", "2", "more", ";", "ok?",
      ])
  }

  @Test("Sentences end with their mark or their line", arguments: ["smollm2", "llama2", "llama3"])
  func sentences(name: String) throws {
    let sentences = try units(.sentence, name)
    #expect(
      sentences.dropLast() == ["Ninahas3.5cups.", "Shesaid\"no.\"", "Then", "2more;", "ok?"])
    #expect(try units(.step, name) == sentences)
  }

  @Test("A pair's unit decides which tokens are key tokens")
  func choice() throws {
    let teachings = try Teachings()
    let pair = teachings.data.pairs[0]
    // Right 20 21 90 22 2, wrong 20 23 24 90 25 2: in this tokenizer each token is a word.
    let byToken = pair.keyTokens()
    #expect(pair.keyTokens(KeyTokenChoice(unit: .word)) == byToken)
    #expect(byToken.chosen == [1, 3])
    // There is one sentence, and the end of the sequence.
    let step = pair.keyTokens(KeyTokenChoice(unit: .step))
    #expect(step.chosen == [0, 1, 2, 3] && step.rejected == [0, 1, 2, 3, 4])
    #expect(pair.keyTokens(KeyTokenChoice(unit: .sentence)).distance == 1)
  }

  @Test("A pair finds its units and key tokens once, and keeps them for all who share it")
  func once() {
    let calls = Mutex<[AlignmentUnit]>([])
    let pair = TokenizedPair(id: "p", prompt: [1], chosen: [5, 6, 2], rejected: [5, 7, 2]) { unit in
      calls.withLock { $0.append(unit) }
      return ([0, 2], [0, 2])
    }
    var data = [pair, pair]
    data.removeFirst()
    for shared in [pair, data[0]] {
      #expect(shared.keyTokens(KeyTokenChoice(unit: .step)).chosen == [0, 1])
      #expect(shared.keyTokens(KeyTokenChoice(unit: .sentence)).rejected == [0, 1])
      #expect(shared.keyTokens().chosen == [1])
      #expect(
        shared.keyTokens(KeyTokenChoice(onlyFirstRejectedRun: true, unit: .step)).distance == 1)
    }
    #expect(calls.withLock { $0 } == [.step, .sentence])
  }
}
