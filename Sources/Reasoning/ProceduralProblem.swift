import Randomness

/// A problem made by rule, whose chains of thought can be worked out step by step: rightly, or with
/// a mistake that is carried on to its conclusion.
public struct ProceduralProblem: Sendable {
  public let question: Question
  /// Where its chains begin.
  public let start: any ReasoningState

  init(id: String, task: ProceduralTask, text: String, start: any ReasoningState) {
    self.start = start
    var last = start
    while last.answer == nil { last = last.rightStep.next }
    question = Question(id: id, task: task.rawValue, text: text, answer: last.answer)
  }

  /// The steps that lead to the gold answer.
  public var rightSteps: [ReasoningStep] { Self.steps(from: start) }

  /// Steps with one mistake of `kind`, the later ones right given it, that end in an answer other
  /// than the gold one; nil where no mistake of that kind does.
  ///
  /// The step that goes wrong and the mistake are drawn uniformly. Mistakes that do not change the
  /// final answer are skipped.
  public func wrongSteps(_ kind: Mistake.Kind, using random: inout SeededGenerator)
    -> [ReasoningStep]?
  {
    let right = rightSteps
    for index in right.indices.shuffled(using: &random) {
      let before = index == 0 ? start : right[index - 1].next
      for mistake in before.mistakes.filter({ $0.mistake == kind }).shuffled(using: &random) {
        let steps = right[..<index] + [mistake] + Self.steps(from: mistake.next)
        if steps.last?.next.answer != question.answer { return Array(steps) }
      }
    }
    return nil
  }

  /// The chain of thought that `steps`, to the last one, make.
  public func chain(of steps: [ReasoningStep], origin: ChainOfThought.Origin) -> ChainOfThought {
    precondition(steps.last?.next.answer != nil, "the steps of \(question.id) reach no answer")
    let answer = steps.last?.next.answer ?? ""
    let separator = " ; "
    let mistake = steps.firstIndex { $0.mistake != nil }.flatMap { index in
      steps[index].mistake.map { kind in
        let start = steps[..<index].reduce(1) { $0 + $1.text.utf8.count + separator.utf8.count }
        return Mistake(
          kind: kind, step: index, range: start..<(start + steps[index].text.utf8.count))
      }
    }
    return ChainOfThought(
      questionID: question.id, task: question.task, prompt: question.prompt,
      text: " "
        + (steps.map(\.text) + ["\(AnswerRule.procedural.cue)\(answer)"])
        .joined(separator: separator),
      answer: answer, isCorrect: answer == question.answer, origin: origin, mistake: mistake)
  }

  private static func steps(from start: any ReasoningState) -> [ReasoningStep] {
    var steps: [ReasoningStep] = []
    var state = start
    while state.answer == nil {
      let step = state.rightStep
      steps.append(step)
      state = step.next
    }
    return steps
  }
}

/// What is left of a problem at one point of a chain of thought.
public protocol ReasoningState: Sendable {
  /// The conclusion; nil while steps are left.
  var answer: String? { get }
  /// The next step. Precondition: one is left.
  var rightStep: ReasoningStep { get }
  /// All the ways to get the next step wrong, each leading elsewhere than the right one.
  /// Precondition: one is left.
  var mistakes: [ReasoningStep] { get }
}

/// One step of a chain of thought, with its text and where it leads.
public struct ReasoningStep: Sendable {
  /// What it says, words and signs parted by single spaces: the rule, if the operator has one, the
  /// operation with its result, and what is left.
  public let text: String
  /// The kind of mistake it makes; nil for a right one.
  public let mistake: Mistake.Kind?
  public let next: any ReasoningState
}

/// The families of procedural problems.
public enum ProceduralTask: String, Codable, Sendable, CaseIterable {
  /// Nested arithmetic modulo 7: `( 3 # 3 ) + ( 2 @ 4 ) mod 7`.
  case arithmetic
  /// Nested Boolean expressions: `( True xor False ) and True`.
  case boolean
  /// Who ends up with what: `Ann has red ; Bob has blue ; Cid has green ; Ann swap Bob ; all pass ;
  /// Bob has what`.
  case objects
  /// Where a walk ends on a 7 by 7 grid that wraps around: `start 3 3 ; up 2 ; hop 1 ; where`.
  case navigation

  /// The operators its problems are made of, any of which can be held out.
  public var operators: [String] {
    switch self {
    case .arithmetic: Algebra.arithmetic.operators.map(\.rawValue)
    case .boolean: Algebra.boolean.operators.map(\.rawValue)
    case .objects: ShuffledObjects.operators
    case .navigation: GridNavigation.operators
    }
  }

  /// What its arithmetic is modulo; nil where it has none.
  var modulus: Int? {
    switch self {
    case .arithmetic: Algebra.modulus
    case .navigation: GridNavigation.size
    case .boolean, .objects: nil
    }
  }

  /// Every word of its questions and chains.
  public var words: [String] {
    switch self {
    case .arithmetic: Algebra.arithmetic.words + ["mod"]
    case .boolean: Algebra.boolean.words
    case .objects: ShuffledObjects.words
    case .navigation: GridNavigation.words
    }
  }

  /// A problem drawn at random.
  ///
  /// - Parameters:
  ///   - steps: how many steps its chain takes, at least one.
  ///   - heldOut: operators that must not occur; with `showingHeldOut`, at least one of
  ///     them occurs. Operators of other tasks are ignored. Precondition: this task has an operator left.
  public func problem(
    id: String, steps: Int, heldOut: Set<String> = [], showingHeldOut: Bool = false,
    using random: inout SeededGenerator
  ) -> ProceduralProblem {
    precondition(steps >= 1, "a problem of \(steps) steps")
    let shown = operators.filter { showingHeldOut || !heldOut.contains($0) }
    precondition(!shown.isEmpty, "all operators of \(rawValue) are held out")
    var drawn = (0..<steps).map { _ in shown[random.index(below: shown.count)] }
    let required = operators.filter(heldOut.contains)
    if showingHeldOut, !required.isEmpty, !drawn.contains(where: heldOut.contains) {
      drawn[random.index(below: steps)] = required[random.index(below: required.count)]
    }
    switch self {
    case .arithmetic, .boolean:
      let state = ExpressionState(
        self == .arithmetic ? .arithmetic : .boolean, operators: drawn, using: &random)
      let modulus = self == .arithmetic ? " mod \(Algebra.modulus)" : ""
      return ProceduralProblem(id: id, task: self, text: "\(state.text)\(modulus)", start: state)
    case .objects:
      let state = ShuffledObjects(operators: drawn, using: &random)
      return ProceduralProblem(id: id, task: self, text: state.question, start: state)
    case .navigation:
      let state = GridNavigation(operators: drawn, using: &random)
      return ProceduralProblem(id: id, task: self, text: state.question, start: state)
    }
  }
}
