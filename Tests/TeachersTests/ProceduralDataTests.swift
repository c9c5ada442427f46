import Foundation
import Randomness
import Reasoning
import Teachers
import Testing

@Suite("The procedural teacher and its data")
struct ProceduralDataTests {
  private func settings(seed: UInt64 = 1, trainQuestions: Int = 300) -> ProceduralData.Settings {
    ProceduralData.Settings(
      tasks: ProceduralTask.allCases, trainQuestions: trainQuestions, validationQuestions: 60,
      testQuestions: 80,
      outOfDomainQuestions: 40, seed: seed)
  }

  private func parts(_ data: ProceduralData) -> [AnnotatedQuestions] {
    [data.train, data.validation, data.test, data.outOfDomain]
  }

  @Test("is right at its rate, rectifies every wrong chain and corrupts every right one")
  func sides() throws {
    let data = try ProceduralData(settings())
    for part in parts(data) {
      #expect(
        part.correct.allSatisfy {
          $0.isCorrect == true && $0.origin == .original && $0.mistake == nil
        })
      #expect(
        part.incorrect.allSatisfy {
          $0.isCorrect == false && $0.origin == .original && $0.mistake != nil
        })
      #expect(part.rectified.map(\.questionID) == part.incorrect.map(\.questionID))
      #expect(part.rectified.allSatisfy { $0.isCorrect == true && $0.origin == .rectified })
      #expect(part.corrupted.map(\.questionID) == part.correct.map(\.questionID))
      #expect(
        part.corrupted.allSatisfy {
          $0.isCorrect == false && $0.origin == .corrupted && $0.mistake != nil
        })
      #expect(part.pairs.map(\.questionID) == part.questions.map(\.id) && part.withoutPair.isEmpty)
    }
    // 300 draws at 0.7: standard deviation 2.6 %; four of them.
    #expect(abs(Double(data.train.correct.count) / 300 - 0.7) < 0.106)
  }

  @Test("gives pairs whose right side ends in the gold answer and whose wrong side does not")
  func conclusions() throws {
    for pair in parts(try ProceduralData(settings())).flatMap(\.pairs) {
      let gold = try #require(pair.goldAnswer)
      #expect(
        AnswerRule.procedural.read(pair.chosen.text, gold: gold).isCorrect, "\(pair.chosen.text)")
      let rejected = AnswerRule.procedural.read(pair.rejected.text, gold: gold)
      #expect(rejected.isParsed && !rejected.isCorrect, "\(pair.rejected.text)")
      #expect(pair.chosen.text.hasPrefix(" ") && !pair.chosen.text.hasPrefix("  "))
    }
  }

  @Test(
    "makes mistakes of the kinds it is told to", arguments: [Mistake.Kind.logical, .calculation])
  func oneKind(kind: Mistake.Kind) throws {
    var settings = settings()
    settings.mistakeShares = .init(
      logical: kind == .logical ? 1 : 0, knowledge: 0, calculation: kind == .calculation ? 1 : 0)
    let rejected = try ProceduralData(settings).train.pairs.map(\.rejected)
    #expect(!rejected.isEmpty && rejected.allSatisfy { $0.mistake?.kind == kind })
  }

  @Test("counts the questions that allow no mistake of the kinds it is told to make")
  func noMistakePossible() throws {
    var settings = settings()
    settings.teacherAccuracy = 1
    settings.mistakeShares = .init(logical: 0, knowledge: 1, calculation: 0)
    let train = try ProceduralData(settings).train
    // Problems without an operator that has a rule.
    #expect(!train.withoutPair.isEmpty)
    #expect(train.withoutPair.count + train.pairs.count == 300)
    #expect(train.pairs.allSatisfy { $0.rejected.mistake?.kind == .knowledge })
  }

  @Test(
    "asks no question twice, in a part or across parts, and leaves the test alone when training grows"
  )
  func distinct() throws {
    let data = try ProceduralData(settings())
    let texts = parts(data).flatMap(\.questions).map(\.normalisedText)
    #expect(Set(texts).count == texts.count)
    let more = try ProceduralData(settings(trainQuestions: 500))
    #expect(
      more.test == data.test && more.validation == data.validation
        && more.outOfDomain == data.outOfDomain)
    #expect(Array(more.train.questions.prefix(300)) == data.train.questions)
  }

  @Test("is the same for the same seed and another for another")
  func seeded() throws {
    #expect(try ProceduralData(settings()) == ProceduralData(settings()))
    #expect(try ProceduralData(settings()).train != ProceduralData(settings(seed: 2)).train)
  }

  @Test("keeps a held-out operator for problems out of domain, and shows it in each of those")
  func heldOut() throws {
    var settings = settings()
    settings.tasks = [.arithmetic, .boolean]
    settings.heldOutOperators = ["#", "nor"]
    let data = try ProceduralData(settings)
    func shows(_ question: Question) -> Bool {
      question.text.split(separator: " ").contains {
        settings.heldOutOperators.contains(String($0))
      }
    }
    #expect(![data.train, data.validation, data.test].flatMap(\.questions).contains(where: shows))
    #expect(data.outOfDomain.questions.allSatisfy(shows))
  }

  @Test("Another training seed changes what is learnt from, and no test")
  func trainingSeed() throws {
    var other = settings()
    other.trainingSeed = 7
    let (data, changed) = (try ProceduralData(settings()), try ProceduralData(other))
    #expect(data.test == changed.test && data.outOfDomain == changed.outOfDomain)
    #expect(data.validation == changed.validation)
    #expect(
      Set(data.train.questions.map(\.text)).isDisjoint(with: changed.test.questions.map(\.text)))
    #expect(data.train.questions.map(\.text) != changed.train.questions.map(\.text))
  }

  @Test("A teacher's accuracy falls by a factor for each step")
  func stepAccuracy() throws {
    var random = SeededGenerator(seed: 4)
    for (steps, expected) in [(1, 0.8 * 0.9), (4, 0.8 * 0.9 * 0.9 * 0.9 * 0.9)] {
      let problems = (0..<1000).map {
        ProceduralTask.arithmetic.problem(id: "\($0)", steps: steps, using: &random)
      }
      let teacher = ProceduralTeacher(problems, accuracy: 0.8, stepAccuracy: 0.9, seed: 5)
      let right = try problems.count { try teacher.annotate($0.question)?.isCorrect == true }
      // Four standard deviations of a binomial of 1,000.
      #expect(
        abs(Double(right) / 1000 - expected) < 4 * (expected * (1 - expected) / 1000).squareRoot())
      #expect(teacher.identity.contains("accuracy 0.8, 0.9 a step"))
    }
  }

  @Test("names every wrong setting at once")
  func wrongSettings() {
    var settings = settings()
    settings.heldOutOperators = Set(ProceduralTask.objects.operators + ["frobnicate"])
    settings.steps = [0, 2]
    settings.teacherAccuracy = 1.5
    settings.mistakeShares = .init(logical: 0, knowledge: 0, calculation: 0)
    #expect(settings.problems.count == 5)
    #expect(throws: ProceduralData.Failure.settings(settings.problems)) {
      try ProceduralData(settings)
    }
  }

  @Test("says so when a task runs out of different problems")
  func exhausted() throws {
    var settings = settings()
    settings.tasks = [.boolean]
    settings.steps = [1]
    let failure = try #require(throws: ProceduralData.Failure.self) { try ProceduralData(settings) }
    // Four pairs of values and six operators make 24 problems of one step.
    #expect(failure == .exhausted(task: .boolean, part: "test", found: 24, expected: 80))
  }

  @Test("answers the three requests of a teacher, and refuses a question it does not know")
  func requests() async throws {
    var random = SeededGenerator(seed: 1)
    let problem = ProceduralTask.arithmetic.problem(id: "a", steps: 3, using: &random)
    let teacher: any Teacher = ProceduralTeacher([problem], accuracy: 0, seed: 1)
    let greedy = TeacherSampling(temperature: 0, maximumTokens: 64)
    for (step, isRight) in [
      (AnnotationStep.annotate, false), (.rectify, true), (.corrupt, false),
    ] {
      let prompt = TeacherPrompt(step: step, question: problem.question, text: "")
      let text = try #require(try await teacher.answer(prompt, greedy).texts.first)
      let gold = try #require(problem.question.answer)
      #expect(AnswerRule.procedural.read(text, gold: gold).isCorrect == isRight)
      #expect((teacher.mistake(in: text, prompt) == nil) == isRight)
      #expect(teacher.mistake(in: "another text", prompt) == nil)
    }
    let unknown = Question(id: "b", task: "arithmetic", text: "1 + 1 mod 7", answer: "2")
    await #expect(throws: ProceduralTeacher.UnknownQuestion.self) {
      try await teacher.answer(TeacherPrompt(step: .annotate, question: unknown, text: ""), greedy)
    }
  }
}
