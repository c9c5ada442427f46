import Annotation
import Files
import Foundation
import Reasoning
import Synchronization
import Teachers
import Testing

/// A teacher that says what it is told to, by question and step, try by try.
private final class ScriptedTeacher: Teacher {
  let identity = "scripted"
  let samplings = Mutex<[TeacherSampling]>([])
  private let script: [String: [String]]

  init(_ script: [String: [String]]) { self.script = script }

  func fits(_ prompt: TeacherPrompt) -> Bool { prompt.question.id != "giant" }

  func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws -> TeacherAnswer {
    samplings.withLock { $0.append(sampling) }
    let texts = script["\(prompt.step.rawValue) \(prompt.question.id)"] ?? []
    if texts == ["spent"] {
      throw BudgetSpent(budget: Budget(requests: 1), requests: 1, tokens: 0)
    }
    return TeacherAnswer(
      texts: texts.isEmpty ? [] : [texts[min(sampling.attempt, texts.count - 1)]])
  }
}

@Suite("The annotation pipeline")
struct AnnotationPipelineTests {
  private func question(_ id: String, text: String? = nil) -> Question {
    Question(id: id, task: "puzzle", text: text ?? "Question \(id)?", answer: "(A)")
  }

  private func pipeline(_ teacher: any Teacher, concurrency: Int = 3) throws -> AnnotationPipeline {
    AnnotationPipeline(
      teacher, prompts: try PromptTemplates(),
      settings: .init(concurrency: concurrency),
      limit: ChainLimit(12) { $0.split(separator: " ").count })
  }

  private let chosen = "One step. Therefore, the answer is (A)."
  private let rejected = "Another step. Therefore, the answer is (B)."

  @Test("says of each chain and pair whether it was kept, and why not")
  func table() async throws {
    let long = String(repeating: "step ", count: 12)
    let teacher = ScriptedTeacher([
      "annotate good": [chosen], "corrupt good": [rejected],
      "annotate late": ["no answer", "Therefore, the answer is", "So the answer is (a)"],
      "corrupt late": ["So the answer is (a)"],
      "annotate never": ["no answer"], "annotate blank": ["", " \n"],
      "annotate long": [long + chosen],
      "annotate bad": [rejected], "rectify bad": ["Hinted. Therefore, the answer is (A)."],
      "annotate stubborn": [rejected], "rectify stubborn": [rejected],
      "annotate same": [chosen], "corrupt same": [chosen],
      "annotate shouted": ["A step. The answer is (A)."],
      "corrupt shouted": ["A step. THE ANSWER IS (B)."],
      "annotate alike": ["a b c d e f the answer is (A)"],
      "corrupt alike": ["a b c d e f the answer is (B)"],
    ])
    let ids = [
      "good", "late", "never", "blank", "silent", "giant", "long", "bad", "stubborn", "same",
      "shouted", "alike",
    ]
    let asked = ids.map { question($0) } + [question("again", text: "question  GOOD?")]
    let questions = asked.withoutRepeats()
    #expect(questions.map(\.id) == ids)

    let pipeline = try pipeline(teacher)
    let first = questions.map { AnnotationRequest(.annotate, $0) }
    let firsts = await pipeline.run(first)
    let second = zip(questions, firsts.outcomes).compactMap { question, outcome in
      outcome?.chain.map { AnnotationRequest(after: $0, to: question) }
    }
    let seconds = await pipeline.run(second)
    #expect(firsts.failure == nil && seconds.failure == nil)
    let chains = (firsts.outcomes + seconds.outcomes).compactMap { $0?.chain }
    let made = try Pairing.byOrigin.pairs(of: chains, file: "chains")
    let (pairs, pairTally) = PairFilter(bigramOverlap: 0.85).kept(
      of: made.pairs, unpaired: made.unpaired)
    var tallies = AnnotationStep.allCases.map {
      StepTally($0, first + second, firsts.outcomes + seconds.outcomes)
    }
    tallies[0].dropped[.repeatedQuestion] = asked.count - questions.count
    #expect(
      ClosingTable(tallies + [pairTally]).description == """
                                     annotate  rectify  corrupt  pair
        asked for                          13        2        5     7
        kept                                7        1        3     3
          right                             5        1        0
          on try 3                          1        0        0     0
        dropped: repeated question          1        0        0     0
        dropped: prompt over length         1        0        0     0
        dropped: no text                    1        0        0     0
        dropped: empty                      1        0        0     0
        dropped: no cue                     1        0        0     0
        dropped: identical                  0        0        2     0
        dropped: wrong side                 0        1        0     0
        dropped: over length                1        0        0     0
        dropped: ROUGE-2 filter             0        0        0     1
        dropped: no other side              0        0        0     3
        """)
    #expect(pairs.map(\.questionID) == ["good", "bad", "shouted"])
    #expect(pairs[2].chosen.answer == "(A)" && pairs[2].rejected.answer == "(B)")
    let late = try #require(chains.first { $0.questionID == "late" })
    #expect(late.tries == 3 && late.teacher == "scripted" && late.answer == "(A)")
    #expect(late.text == " So the answer is (a)" && late.prompt == "Q: Question late?\nA:")
    #expect(pairs[1].chosen.origin == .rectified && pairs[1].rejected.mistake?.kind == .unknown)
  }

  @Test("asks again the warmer the more often, and rectifies coolly")
  func temperatures() async throws {
    let teacher = ScriptedTeacher(["annotate q": ["none"], "rectify q": ["none"]])
    let requests = [AnnotationStep.annotate, .rectify].map { AnnotationRequest($0, question("q")) }
    let result = try await pipeline(teacher, concurrency: 1).run(requests)
    #expect(result.outcomes == [.dropped(.noCue), .dropped(.noCue)])
    let samplings = teacher.samplings.withLock { $0 }
    #expect(samplings.map(\.attempt) == [0, 1, 2, 0, 1, 2])
    #expect(samplings.map { ($0.temperature * 10).rounded() } == [0, 3, 6, 2, 5, 8])
  }

  @Test("tells of each request that is finished, and of none that failed")
  func progress() async throws {
    let teacher = ScriptedTeacher([
      "annotate a": [chosen], "annotate b": ["none"], "annotate c": ["spent"],
      "annotate d": [chosen],
    ])
    let requests = ["a", "b", "giant", "c", "d"].map { AnnotationRequest(.annotate, question($0)) }
    let finished = Mutex<[Int]>([])
    _ = try await pipeline(teacher, concurrency: 1).run(requests) { count in
      finished.withLock { $0.append(count) }
    }
    #expect(finished.withLock { $0 } == [1, 2, 3])
  }

  @Test("neither asks for a prompt that is too long nor counts it as still to come")
  func tooLong() async throws {
    let folder = try Folder()
    let teacher = ScriptedTeacher([:])
    let stored = StoredTeacher(teacher, store: try AnnotationStore(path: folder["store"]))
    let pipeline = try pipeline(stored)
    let requests = [AnnotationRequest(.annotate, question("giant"))]
    #expect(await pipeline.run(requests).outcomes == [.dropped(.promptOverLength)])
    #expect(teacher.samplings.withLock { $0.isEmpty })
    let work = try await pipeline.remaining(requests, second: true, stored: stored.stored)
    #expect(work.calls == 0 && work.stored == 0 && work.promptTokens == 0)
  }

  @Test("stops at a spent budget with what it has")
  func budget() async throws {
    let teacher = ScriptedTeacher([
      "annotate a": [chosen], "annotate b": ["spent"], "annotate c": [chosen],
    ])
    let requests = ["a", "b", "c"].map { AnnotationRequest(.annotate, question($0)) }
    let result = try await pipeline(teacher, concurrency: 1).run(requests)
    #expect(result.outcomes[0]?.chain != nil && result.outcomes[1...].allSatisfy { $0 == nil })
    #expect(result.failure is BudgetSpent)
    #expect(StepTally(.annotate, requests, result.outcomes).unfinished == 2)
  }

  @Test("makes of the procedural teacher's answers what its data set is made of")
  func procedural() async throws {
    let settings = ProceduralData.Settings(
      tasks: ProceduralTask.allCases, trainQuestions: 60, validationQuestions: 0, testQuestions: 0,
      outOfDomainQuestions: 0, seed: 3)
    let problems = try ProceduralData.Problems(settings)
    let questions = problems.train.map(\.question)
    let pipeline = AnnotationPipeline(problems.teacher, prompts: try PromptTemplates())
    func bare(_ outcomes: [AnnotationOutcome?]) -> [ChainOfThought?] {
      outcomes.map { outcome in
        var chain = outcome?.chain
        #expect(chain?.tries == 1 && chain?.teacher == problems.teacher.identity)
        chain?.teacher = nil
        chain?.tries = nil
        return chain
      }
    }
    let first = bare(
      await pipeline.run(questions.map { AnnotationRequest(.annotate, $0) }).outcomes)
    let second = bare(
      await pipeline.run(
        zip(questions, first).compactMap { question, chain in
          chain.map { AnnotationRequest(after: $0, to: question) }
        }
      ).outcomes)
    #expect(
      try AnnotatedQuestions(questions, first: first, second: second)
        == ProceduralData(settings).train)
  }

  @Test("pairs recorded chains, and refuses chains of one question with two prompts")
  func recordedChains() throws {
    func chain(_ isCorrect: Bool, prompt: String = "Q: q\nA:") -> ChainOfThought {
      ChainOfThought(
        questionID: "q", task: "puzzle", prompt: prompt, text: " \(isCorrect)", answer: "(A)",
        isCorrect: isCorrect, origin: .recorded)
    }
    let made = try Pairing.byOrigin.pairs(of: [chain(false), chain(true), chain(true)], file: "f")
    #expect(made.pairs.count == 1 && made.unpaired == 0 && made.pairs[0].goldAnswer == "(A)")
    #expect(throws: FileError.self) {
      try Pairing.byOrigin.pairs(of: [chain(false), chain(true, prompt: "Q: p\nA:")], file: "f")
    }
  }
}
