import Distillation
import Experiments
import Reasoning
import Recipes
import Teachers
import TestSupport
import Testing

/// Parts of a teacher's chains.
@Suite struct ChainSelectionTests {
  private let folder: TemporaryFolder
  private let chains: TrainingData

  init() throws {
    folder = try TemporaryFolder()
    chains = try ExperimentData(
      procedural: .init(
        trainQuestions: 60, validationQuestions: 1, testQuestions: 1, outOfDomainQuestions: 1,
        seed: 3), folder: folder.path
    ).trainingSets[0]
  }

  private func questions(_ chains: [TokenizedChain]) -> Set<[Int]> { Set(chains.map(\.prompt)) }

  @Test("A number of questions has those of a smaller number, with all their chains and pairs")
  func size() {
    let (few, more) = (chains.ofQuestions(10, seed: 1), chains.ofQuestions(25, seed: 1))
    #expect(questions(few.correct + few.rectified).count == 10)
    #expect(questions(more.correct + more.rectified).count == 25)
    #expect(
      questions(few.correct + few.rectified).isSubset(of: questions(more.correct + more.rectified)))
    for part in [few, more] {
      let kept = questions(part.correct + part.rectified)
      #expect(part.correct == chains.correct.filter { kept.contains($0.prompt) })
      #expect(part.pairs == chains.pairs.filter { kept.contains($0.prompt) })
    }
    #expect(chains.ofQuestions(10, seed: 2).correct != few.correct)
    let all = chains.ofQuestions(1000, seed: 1)
    #expect(all.correct == chains.correct && all.rectified == chains.rectified)
  }

  @Test("Wrong chains stand in for the right ones of a share of the questions, whose pairs go")
  func noise() {
    let noisy = chains.takingRejectedForCorrect(fraction: 0.3, seed: 1)
    let all = chains.correct + chains.rectified
    #expect(questions(noisy.correct + noisy.rectified) == questions(all))
    let rejected = noisy.correct.filter { $0.source?.isCorrect == false }
    #expect(rejected.count == Int((0.3 * Double(chains.pairs.count)).rounded()))
    #expect(noisy.correct.count + noisy.rectified.count == all.count)
    #expect(questions(rejected).isDisjoint(with: questions(noisy.pairs.map(\.chosenChain))))
    #expect(noisy.pairs.count == chains.pairs.count - rejected.count)
    let same = chains.takingRejectedForCorrect(fraction: 0, seed: 1)
    #expect(same.correct == chains.correct && same.pairs == chains.pairs)
  }

  @Test("Pairs are told apart by the kind of mistake that is stated, else by the guessed one")
  func kinds() {
    let kinds = chains.pairsByMistake
    #expect(Set(kinds.keys) == [.logical, .knowledge, .calculation])
    #expect(kinds.values.map(\.count).reduce(0, +) == chains.pairs.count)
    for (kind, pairs) in kinds {
      #expect(pairs.allSatisfy { $0.source?.rejected.mistake?.kind == kind })
    }
    var silent = chains
    silent.pairs = silent.pairs.map { pair in
      var source = pair.source
      source?.rejected.mistake = nil
      return TokenizedPair(
        id: pair.id, prompt: pair.prompt, chosen: pair.chosen, rejected: pair.rejected,
        source: source)
    }
    let guessed = silent.pairsByMistake
    #expect(Set(guessed.keys) == [.calculation, .unknown])
    #expect(guessed[.calculation]?.allSatisfy { $0.source?.guessedMistake == .calculation } == true)
  }

  @Test("As many pairs are drawn as are wanted, by the seed")
  func drawn() {
    let few = chains.with(5, of: chains.pairs, seed: 1)
    #expect(few.pairs.count == 5 && Set(few.pairs).isSubset(of: chains.pairs))
    #expect(few.correct == chains.correct)
    #expect(chains.with(5, of: chains.pairs, seed: 1).pairs == few.pairs)
    #expect(chains.with(5, of: chains.pairs, seed: 2).pairs != few.pairs)
  }
}
