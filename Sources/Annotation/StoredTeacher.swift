import Reasoning
import Teachers

/// A teacher that is asked each question once: it looks into the store first, and records what the
/// teacher says the moment it arrives.
public struct StoredTeacher: Teacher {
  public let store: AnnotationStore
  /// What the teacher was asked through this one and others that share it; an answer from the store
  /// costs nothing.
  public let spending: Spending
  private let teacher: any Teacher

  public init(_ teacher: any Teacher, store: AnnotationStore, budget: Budget = Budget()) {
    self.init(teacher, store: store, spending: Spending(budget))
  }

  public init(_ teacher: any Teacher, store: AnnotationStore, spending: Spending) {
    self.teacher = teacher
    self.store = store
    self.spending = spending
  }

  public var identity: String { teacher.identity }

  public func fits(_ prompt: TeacherPrompt) -> Bool { teacher.fits(prompt) }

  public func mistake(in text: String, _ prompt: TeacherPrompt) -> Mistake? {
    teacher.mistake(in: text, prompt)
  }

  /// The answer that asking would take from the store; nil where the teacher would be asked.
  public func stored(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) throws
    -> TeacherAnswer?
  {
    try store.answer(key(prompt, sampling))?.answer
  }

  /// Throws `BudgetSpent` instead of sending a request that the budget does not hold, and whatever
  /// the teacher and the store throw.
  public func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) async throws
    -> TeacherAnswer
  {
    let key = key(prompt, sampling)
    var pause = Duration.milliseconds(10)
    while true {
      switch try store.claim(key) {
      case .answered(let stored): return stored.answer
      case .granted: return try await ask(key)
      case .taken:
        try await Task.sleep(for: pause)
        pause = min(pause * 2, .seconds(1))
      }
    }
  }

  private func ask(_ key: AnnotationKey) async throws -> TeacherAnswer {
    do {
      try Task.checkCancellation()
      try spending.drawRequest()
      let start = ContinuousClock.now
      let answer = try await Spending.$current.withValue(spending) {
        try await teacher.answer(key.prompt, key.sampling)
      }
      spending.count(answer)
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      return try store.record(answer, for: key, seconds: seconds).answer
    } catch {
      store.release(key)
      throw error
    }
  }

  private func key(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) -> AnnotationKey {
    AnnotationKey(teacher: identity, prompt: prompt, sampling: sampling)
  }
}
