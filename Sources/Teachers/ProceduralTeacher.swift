import Foundation
import Randomness
import Reasoning

/// A simulated teacher of procedural problems, that is right at a given rate and makes mistakes of
/// chosen kinds.
///
/// What it answers depends on its seed, the request and the question alone, not on what it was
/// asked before.
public struct ProceduralTeacher: Teacher {
  /// How often its first answer to a problem of n steps is right: `accuracy` · `stepAccuracy`ⁿ, each from 0 to 1.
  public let accuracy: Double
  public let stepAccuracy: Double
  /// How often each kind of mistake is the one it makes, relative to the others.
  ///
  /// A question that allows no mistake of the kind drawn gets one of another kind, drawn by the
  /// same proportions; so knowledge, which needs an operator with a rule, falls somewhat short of
  /// its share.
  public let mistakeShares: MistakeShares

  /// The relative frequencies of the kinds of mistake.
  public struct MistakeShares: Hashable, Codable, Sendable {
    public var logical: Double
    public var knowledge: Double
    public var calculation: Double

    public init(logical: Double = 1, knowledge: Double = 1, calculation: Double = 1) {
      self.logical = logical
      self.knowledge = knowledge
      self.calculation = calculation
    }

    /// The kinds that occur, in a random order whose first has each kind in proportion, the second
    /// each of the others in proportion, and so on.
    fileprivate func order(using random: inout SeededGenerator) -> [Mistake.Kind] {
      var rest: [(kind: Mistake.Kind, share: Double)] = [
        (.logical, logical), (.knowledge, knowledge), (.calculation, calculation),
      ].filter { $0.1 > 0 }
      var order: [Mistake.Kind] = []
      while !rest.isEmpty {
        var point = random.uniform() * rest.map(\.share).reduce(0, +)
        let drawn = rest.firstIndex { option in
          point -= option.share
          return point < 0
        }
        order.append(rest.remove(at: drawn ?? rest.count - 1).kind)
      }
      return order
    }
  }

  /// A question that is none of the teacher's problems.
  public struct UnknownQuestion: Error, CustomStringConvertible {
    public let id: String
    public var description: String { "the procedural teacher has no problem with the id \"\(id)\"" }
  }

  private let problems: [String: ProceduralProblem]
  private let seed: UInt64

  /// Precondition: accuracies lie in 0 ... 1, the ids of `problems` are unique.
  public init(
    _ problems: [ProceduralProblem], accuracy: Double = 0.7, stepAccuracy: Double = 1,
    mistakeShares: MistakeShares = MistakeShares(),
    seed: UInt64
  ) {
    precondition(
      (0...1).contains(accuracy) && (0...1).contains(stepAccuracy),
      "accuracy \(accuracy), \(stepAccuracy) a step")
    self.problems = Dictionary(uniqueKeysWithValues: problems.map { ($0.question.id, $0) })
    self.accuracy = accuracy
    self.stepAccuracy = stepAccuracy
    self.mistakeShares = mistakeShares
    self.seed = seed
  }

  /// A right chain at the teacher's rate, else one with a mistake; a right one too where no mistake
  /// leads to a wrong answer.
  public func annotate(_ question: Question) throws -> ChainOfThought? {
    let problem = try problem(of: question)
    var random = SeededGenerator(seed: seed, stream: "annotate \(question.id)")
    let chance = accuracy * pow(stepAccuracy, Double(problem.rightSteps.count))
    let steps = random.chance(chance) ? nil : wrongSteps(of: problem, using: &random)
    return problem.chain(of: steps ?? problem.rightSteps, origin: .original)
  }

  public func rectify(_ question: Question) throws -> ChainOfThought? {
    let problem = try problem(of: question)
    return problem.chain(of: problem.rightSteps, origin: .rectified)
  }

  /// The right chain with a mistake in one step, carried on to another answer; nil where none leads
  /// to one.
  public func corrupt(_ question: Question) throws -> ChainOfThought? {
    let problem = try problem(of: question)
    var random = SeededGenerator(seed: seed, stream: "corrupt \(question.id)")
    return wrongSteps(of: problem, using: &random).map { problem.chain(of: $0, origin: .corrupted) }
  }

  /// The chain that answers `prompt`, by its question's id alone; nil where there is none.
  private func chain(for prompt: TeacherPrompt) throws -> ChainOfThought? {
    switch prompt.step {
    case .annotate: try annotate(prompt.question)
    case .rectify: try rectify(prompt.question)
    case .corrupt: try corrupt(prompt.question)
    }
  }

  private func wrongSteps(of problem: ProceduralProblem, using random: inout SeededGenerator)
    -> [ReasoningStep]?
  {
    for kind in mistakeShares.order(using: &random) {
      if let steps = problem.wrongSteps(kind, using: &random) { return steps }
    }
    return nil
  }

  private func problem(of question: Question) throws -> ProceduralProblem {
    guard let problem = problems[question.id] else { throw UnknownQuestion(id: question.id) }
    return problem
  }
}

extension ProceduralTeacher {
  public var identity: String {
    let s = mistakeShares
    let perStep = stepAccuracy == 1 ? "" : ", \(stepAccuracy) a step"
    return
      "procedural, accuracy \(accuracy)\(perStep), mistakes logical \(s.logical) knowledge \(s.knowledge) "
      + "calculation \(s.calculation), seed \(seed)"
  }

  /// The same for each sampling. Throws `UnknownQuestion`.
  public func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) throws -> TeacherAnswer {
    TeacherAnswer(texts: [try chain(for: prompt)?.text].compactMap(\.self))
  }

  public func mistake(in text: String, _ prompt: TeacherPrompt) -> Mistake? {
    guard let chain = try? chain(for: prompt), chain.text == text else { return nil }
    return chain.mistake
  }
}
