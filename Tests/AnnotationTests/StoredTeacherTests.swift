import Annotation
import Foundation
import Reasoning
import Synchronization
import Teachers
import Testing

@Suite("A stored teacher")
struct StoredTeacherTests {
  private let folder: Folder
  private let sampling = TeacherSampling(temperature: 0, maximumTokens: 9)

  init() throws { folder = try Folder() }

  /// Says the question's id after a moment, and counts how often it was asked what.
  private final class Counting: Teacher {
    let identity = "counting"
    let asked = Mutex<[String: Int]>([:])
    let moment: Duration
    /// The questions that it fails at, once each.
    let failing: Mutex<Set<String>>

    struct Failure: Error {}

    init(moment: Duration = .milliseconds(1), failing: Set<String> = []) {
      self.moment = moment
      self.failing = Mutex(failing)
    }

    func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws
      -> TeacherAnswer
    {
      asked.withLock { $0[prompt.question.id, default: 0] += 1 }
      try await Task.sleep(for: moment)
      if failing.withLock({ $0.remove(prompt.question.id) }) != nil { throw Failure() }
      return TeacherAnswer(texts: [prompt.question.id], promptTokens: 10, completionTokens: 5)
    }
  }

  /// Asks for `ids`, up to 16 at a time; the ids answered, and the errors thrown.
  private func ask(_ teacher: StoredTeacher, _ ids: [String]) async -> (Set<String>, [any Error]) {
    await withTaskGroup(of: Result<TeacherAnswer, any Error>.self) { group in
      var (answered, errors): (Set<String>, [any Error]) = ([], [])
      func take(_ result: Result<TeacherAnswer, any Error>?) {
        switch result {
        case .success(let answer): answered.formUnion(answer.texts)
        case .failure(let error): errors.append(error)
        case nil: break
        }
      }
      for (number, id) in ids.enumerated() {
        if number >= 16 { take(await group.next()) }
        group.addTask {
          do { return .success(try await teacher.answer(prompt(id), sampling)) } catch {
            return .failure(error)
          }
        }
      }
      for await result in group { take(result) }
      return (answered, errors)
    }
  }

  @Test("Many questions at once, each twice, are each asked once, and a rerun asks nothing")
  func once() async throws {
    let teacher = Counting()
    let ids = (0..<100).map(String.init)
    do {
      let stored = StoredTeacher(teacher, store: try AnnotationStore(path: folder["store"]))
      #expect(try stored.stored(prompt("3"), sampling) == nil)
      let (answered, errors) = await ask(stored, ids.flatMap { [$0, $0] })
      #expect(answered == Set(ids) && errors.isEmpty)
      #expect(stored.spending.total == (100, 1500))
    }
    let stored = StoredTeacher(
      teacher, store: try AnnotationStore(path: folder["store"]), budget: Budget(requests: 0))
    #expect(try stored.stored(prompt("3"), sampling)?.texts == ["3"])
    let (answered, errors) = await ask(stored, ids)
    #expect(answered == Set(ids) && errors.isEmpty)
    #expect(teacher.asked.withLock { $0 } == Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) }))
  }

  @Test("Two stores on one file ask each question once between them")
  func two() async throws {
    let teacher = Counting(moment: .milliseconds(5))
    let ids = (0..<60).map(String.init)
    let one = StoredTeacher(teacher, store: try AnnotationStore(path: folder["store"]))
    let two = StoredTeacher(teacher, store: try AnnotationStore(path: folder["store"]))
    async let first = ask(one, ids)
    async let second = ask(two, ids)
    for (answered, errors) in await [first, second] {
      #expect(answered == Set(ids) && errors.isEmpty)
    }
    #expect(teacher.asked.withLock { $0 } == Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) }))
  }

  @Test("A failure reaches the caller and leaves its question to be asked again at once")
  func failure() async throws {
    let teacher = Counting(failing: ["7"])
    let stored = StoredTeacher(teacher, store: try AnnotationStore(path: folder["store"]))
    let (answered, errors) = await ask(stored, (0..<10).map(String.init))
    #expect(answered.count == 9 && !answered.contains("7"))
    #expect(errors.count == 1 && errors.first is Counting.Failure)
    #expect(try await stored.answer(prompt("7"), sampling).texts == ["7"])
  }

  @Test("However many ask at once, exactly the requests of the budget are sent, and all are kept")
  func requestBudget() async throws {
    let teacher = Counting()
    let store = try AnnotationStore(path: folder["store"])
    let ids = (0..<80).map(String.init)
    let stored = StoredTeacher(teacher, store: store, budget: Budget(requests: 30))
    let (answered, errors) = await ask(stored, ids)
    #expect(answered.count == 30 && errors.count == 50)
    #expect(errors.allSatisfy { ($0 as? BudgetSpent)?.requests == 30 })
    #expect(teacher.asked.withLock { $0.values.reduce(0, +) } == 30)
    // The rest is asked for with another budget, and nothing a second time.
    let rest = StoredTeacher(teacher, store: store, budget: Budget(requests: 50))
    let (all, none) = await ask(rest, ids)
    #expect(all == Set(ids) && none.isEmpty)
    #expect(teacher.asked.withLock { $0.values.allSatisfy { $0 == 1 } })
  }

  @Test("No request is sent once the tokens of the budget are spent")
  func tokenBudget() async throws {
    let stored = StoredTeacher(
      Counting(), store: try AnnotationStore(path: folder["store"]), budget: Budget(tokens: 40))
    for id in ["1", "2", "3"] { _ = try await stored.answer(prompt(id), sampling) }
    let spent = BudgetSpent(budget: Budget(tokens: 40), requests: 3, tokens: 45)
    await #expect(throws: spent) {
      try await stored.answer(prompt("4"), sampling)
    }
    #expect(try await stored.answer(prompt("1"), sampling).texts == ["1"])
  }
}
