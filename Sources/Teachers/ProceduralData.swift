import Randomness
import Reasoning

/// The whole data set of an experiment on procedural problems: annotated questions for training,
/// for validation, for the test in domain and out of it.
///
/// No question occurs twice, within a part or in two of them. The test's questions are drawn first,
/// each part from its own random stream, so that more or fewer training questions leave the others
/// as they are.
public struct ProceduralData: Hashable, Codable, Sendable {
  public let train: AnnotatedQuestions
  public let validation: AnnotatedQuestions
  public let test: AnnotatedQuestions
  public let outOfDomain: AnnotatedQuestions

  /// What a data set is made of.
  public struct Settings: Hashable, Codable, Sendable {
    /// Problems of these take turns.
    public var tasks: [ProceduralTask]
    /// Questions of each part.
    public var trainQuestions: Int
    public var validationQuestions: Int
    public var testQuestions: Int
    public var outOfDomainQuestions: Int
    /// Steps of the problems for training, validation and test; each number is equally likely.
    public var steps: [Int]
    public var outOfDomainSteps: [Int]
    /// Operators that occur out of domain alone, at least one in each problem of a task that has
    /// any of them.
    public var heldOutOperators: Set<String>
    /// How often the teacher's first answer is right, from 0 to 1: see `ProceduralTeacher`.
    public var teacherAccuracy: Double
    public var teacherStepAccuracy: Double
    public var mistakeShares: ProceduralTeacher.MistakeShares
    public var seed: UInt64
    /// That of the training questions and of the teacher's chains for them, so that training sets differ while the
    /// tests are the same.
    public var trainingSeed: UInt64

    /// Without `trainingSeed`, `seed` takes its place.
    public init(
      tasks: [ProceduralTask] = [.arithmetic, .boolean], trainQuestions: Int = 1000,
      validationQuestions: Int = 200,
      testQuestions: Int = 500, outOfDomainQuestions: Int = 500, steps: [Int] = [2, 3, 4],
      outOfDomainSteps: [Int] = [5], heldOutOperators: Set<String> = [],
      teacherAccuracy: Double = 0.7, teacherStepAccuracy: Double = 1,
      mistakeShares: ProceduralTeacher.MistakeShares = .init(), seed: UInt64,
      trainingSeed: UInt64? = nil
    ) {
      self.tasks = tasks
      self.trainQuestions = trainQuestions
      self.validationQuestions = validationQuestions
      self.testQuestions = testQuestions
      self.outOfDomainQuestions = outOfDomainQuestions
      self.steps = steps
      self.outOfDomainSteps = outOfDomainSteps
      self.heldOutOperators = heldOutOperators
      self.teacherAccuracy = teacherAccuracy
      self.teacherStepAccuracy = teacherStepAccuracy
      self.mistakeShares = mistakeShares
      self.seed = seed
      self.trainingSeed = trainingSeed ?? seed
    }

    /// What is wrong with these settings, all of it; empty where nothing is.
    public var problems: [String] {
      var problems: [String] = []
      if tasks.isEmpty { problems.append("tasks: expected at least one, found none") }
      for task in tasks where heldOutOperators.isSuperset(of: task.operators) {
        problems.append("held-out operators: \(task.rawValue) has no others")
      }
      for name in heldOutOperators.subtracting(tasks.flatMap(\.operators)).sorted() {
        problems.append("held-out operators: no task has \"\(name)\"")
      }
      for (name, steps) in [("steps", steps), ("out-of-domain steps", outOfDomainSteps)]
      where steps.min() ?? 0 < 1 {
        problems.append("\(name): expected 1 or more, found \(steps)")
      }
      for count in [trainQuestions, validationQuestions, testQuestions, outOfDomainQuestions]
      where count < 0 {
        problems.append("questions: expected 0 or more, found \(count)")
      }
      for accuracy in [teacherAccuracy, teacherStepAccuracy] where !(0...1).contains(accuracy) {
        problems.append("teacher accuracy: expected 0 to 1, found \(accuracy)")
      }
      let shares = [mistakeShares.logical, mistakeShares.knowledge, mistakeShares.calculation]
      if shares.contains(where: { !$0.isFinite || $0 < 0 }) || shares.allSatisfy({ $0 == 0 }) {
        problems.append("mistake shares: expected 0 or more, not all 0, found \(shares)")
      }
      return problems
    }
  }

  /// Why a data set can't be made.
  public enum Failure: Error, Hashable, CustomStringConvertible {
    case settings([String])
    /// A task has too few different problems.
    case exhausted(task: ProceduralTask, part: String, found: Int, expected: Int)

    public var description: String {
      switch self {
      case .settings(let problems): problems.joined(separator: "\n")
      case .exhausted(let task, let part, let found, let expected):
        "\(part): \(expected) different questions were asked for, but after \(found) of them \(task.rawValue) has "
          + "hardly any new ones; ask for fewer questions or allow more steps"
      }
    }
  }

  /// Makes the data set. Throws a `Failure` that names all settings that are wrong, or the task
  /// that ran dry.
  public init(_ settings: Settings) throws {
    let problems = try Problems(settings)
    func annotated(_ problems: [ProceduralProblem], by teacher: ProceduralTeacher) throws
      -> AnnotatedQuestions
    {
      let questions = problems.map(\.question)
      let first = try questions.map(teacher.annotate)
      let second = try zip(questions, first).map { question, first in
        first?.isCorrect == true ? try teacher.corrupt(question) : try teacher.rectify(question)
      }
      return AnnotatedQuestions(questions, first: first, second: second)
    }
    let teacher = problems.teacher(problems.held, seed: settings.seed)
    test = try annotated(problems.test, by: teacher)
    outOfDomain = try annotated(problems.outOfDomain, by: teacher)
    validation = try annotated(problems.validation, by: teacher)
    train = try annotated(
      problems.train, by: problems.teacher(problems.train, seed: settings.trainingSeed))
  }

  /// The problems of a data set, before anyone has answered them.
  public struct Problems: Sendable {
    public let settings: Settings
    public let train: [ProceduralProblem]
    public let validation: [ProceduralProblem]
    public let test: [ProceduralProblem]
    public let outOfDomain: [ProceduralProblem]

    /// Draws the problems; throws as the data set does.
    public init(_ settings: Settings) throws {
      guard settings.problems.isEmpty else { throw Failure.settings(settings.problems) }
      var seen: Set<String> = []

      func draw(
        _ part: String, _ count: Int, steps: [Int], showingHeldOut: Bool,
        seed: UInt64? = nil
      ) throws -> [ProceduralProblem] {
        var random = SeededGenerator(
          seed: seed ?? settings.seed, stream: "\(part) questions")
        return try (0..<count).map { number in
          let task = settings.tasks[number % settings.tasks.count]
          for _ in 0..<1000 {
            let problem = task.problem(
              id: "\(part)-\(number)", steps: steps[random.index(below: steps.count)],
              heldOut: settings.heldOutOperators, showingHeldOut: showingHeldOut, using: &random)
            if seen.insert(problem.question.normalisedText).inserted { return problem }
          }
          throw Failure.exhausted(task: task, part: part, found: number, expected: count)
        }
      }

      self.settings = settings
      test = try draw(
        "test", settings.testQuestions, steps: settings.steps, showingHeldOut: false)
      outOfDomain = try draw(
        "out-of-domain", settings.outOfDomainQuestions, steps: settings.outOfDomainSteps,
        showingHeldOut: true)
      validation = try draw(
        "validation", settings.validationQuestions, steps: settings.steps, showingHeldOut: false)
      train = try draw(
        "train", settings.trainQuestions, steps: settings.steps, showingHeldOut: false,
        seed: settings.trainingSeed)
    }

    /// Those that no student learns from.
    fileprivate var held: [ProceduralProblem] { test + outOfDomain + validation }

    /// The simulated teacher of all of them.
    public var teacher: ProceduralTeacher { teacher(held + train, seed: settings.seed) }

    fileprivate func teacher(_ problems: [ProceduralProblem], seed: UInt64) -> ProceduralTeacher {
      ProceduralTeacher(
        problems, accuracy: settings.teacherAccuracy, stepAccuracy: settings.teacherStepAccuracy,
        mistakeShares: settings.mistakeShares, seed: seed)
    }
  }
}
