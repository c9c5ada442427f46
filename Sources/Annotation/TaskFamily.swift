import Files
import Randomness
import Reasoning
import Teachers

/// The families of tasks that the built-in prompts are written for.
public enum TaskFamily: String, CaseIterable, Sendable {
  /// BIG-Bench Hard and what is like it: puzzles with options or with an answer in free form.
  case reasoning
  /// Grade-school word problems whose answer is a number.
  case arithmetic
  /// ARC and AGIEval: multiple choice that asks for knowledge as well.
  case exam
  /// The procedural tasks.
  case procedural

  /// The family of a publisher's files; nil for JSON lines, whose questions tell.
  public init?(_ format: QuestionFormat) {
    switch format {
    case .bigBenchHard: self = .reasoning
    case .gsm8k: self = .arithmetic
    case .arc, .agiEval: self = .exam
    case .jsonLines: return nil
    }
  }

  /// The family of a question of an unnamed source, told by its task and whether it has options.
  public init(_ question: Question) {
    if ProceduralTask(rawValue: question.task) != nil {
      self = .procedural
    } else if question.task == "gsm8k" {
      self = .arithmetic
    } else {
      self = question.options.isEmpty ? .reasoning : .exam
    }
  }

  /// What a response says before its answer, such that `AnswerRule.usual` finds it.
  public var cue: String {
    switch self {
    case .reasoning, .exam: "Therefore, the answer is"
    case .arithmetic: "A:"
    case .procedural: "ans"
    }
  }

  /// What the teacher is told of the task.
  public var instruction: String {
    switch self {
    case .reasoning:
      "Solve each puzzle one short step at a time. End with \"Therefore, the answer is\" and the answer alone: an option's letter in parentheses where there are options."
    case .arithmetic:
      "Solve each word problem with one calculation a line, each stated as an equation. End with a line that holds \"A:\" and the number alone."
    case .exam:
      "Answer each examination question: recall what bears on it, reason from that in short steps. End with \"Therefore, the answer is\" and the letter of one option in parentheses."
    case .procedural:
      "Solve each problem in the steps and words that the examples use, parted by \" ; \". End with \"ans\" and the answer."
    }
  }

  /// Written for this project; none is from a data set.
  public var exemplars: [Exemplar] {
    switch self {
    case .reasoning:
      [
        Exemplar(
          question: """
            Lena, Omar and Pia hold a ball each: Lena a red one, Omar a green one, Pia a blue one. Lena and Pia swap, then Pia and Omar swap. At the end, Omar holds the
            Options:
            (A) red ball
            (B) green ball
            (C) blue ball
            """,
          answer: "(A)",
          response:
            "At the start Lena holds red, Omar green and Pia blue. Lena and Pia swap: Lena holds blue, Pia red. Pia and Omar swap: Pia holds green, Omar red. Therefore, the answer is (A).",
          wrongResponse:
            "At the start Lena holds red, Omar green and Pia blue. Lena and Pia swap: Lena holds blue, Pia red. Pia and Omar swap: Pia holds red, Omar green. Therefore, the answer is (B)."
        ),
        Exemplar(
          question: "not ( True and False ) and ( False or True ) is", answer: "True",
          response:
            "True and False is False. not False is True. False or True is True. True and True is True. Therefore, the answer is True.",
          wrongResponse:
            "True and False is False. not False is True. False or True is False. True and False is False. Therefore, the answer is False."
        ),
      ]
    case .arithmetic:
      [
        Exemplar(
          question:
            "A baker fills 6 trays with 12 rolls each and sells 45 rolls. How many rolls are left?",
          answer: "27",
          response: "6 * 12 = 72 rolls are baked.\n72 - 45 = 27 rolls are left.\nA: 27",
          wrongResponse: "6 * 12 = 62 rolls are baked.\n62 - 45 = 17 rolls are left.\nA: 17"),
        Exemplar(
          question:
            "Nora reads 15 pages on Monday and twice as many on Tuesday. How many pages does she read on both days?",
          answer: "45",
          response: "On Tuesday she reads 15 * 2 = 30 pages.\nOn both days 15 + 30 = 45.\nA: 45",
          wrongResponse:
            "On Tuesday she reads 15 * 2 = 30 pages.\nOn both days 30 + 30 = 60.\nA: 60"),
      ]
    case .exam:
      [
        Exemplar(
          question: """
            Which change takes place when puddles disappear on a warm day?
            Options:
            (A) freezing
            (B) evaporation
            (C) condensation
            (D) melting
            """,
          answer: "(B)",
          response:
            "The water of a puddle is liquid. As it warms up it becomes water vapour, which is a gas. The change from liquid to gas is evaporation. Therefore, the answer is (B).",
          wrongResponse:
            "The water of a puddle is liquid. As it warms up it becomes water vapour, which is a gas. The change from liquid to gas is condensation. Therefore, the answer is (C)."
        ),
        Exemplar(
          question: """
            A train covers 150 miles in 2.5 hours. What is its mean speed in miles an hour?
            Options:
            (A) 50
            (B) 60
            (C) 75
            (D) 375
            """,
          answer: "(B)",
          response:
            "Mean speed is distance over time. 150 / 2.5 = 60. That is option (B). Therefore, the answer is (B).",
          wrongResponse:
            "Mean speed is distance times time. 150 * 2.5 = 375. That is option (D). Therefore, the answer is (D)."
        ),
      ]
    case .procedural:
      Self.proceduralExemplars
    }
  }

  /// A problem of each procedural task, solved rightly and with a logical mistake.
  private static let proceduralExemplars: [Exemplar] =
    ProceduralTask.allCases.compactMap { task in
      var random = SeededGenerator(seed: 0, stream: "exemplar \(task.rawValue)")
      let problem = task.problem(id: task.rawValue, steps: 2, using: &random)
      return problem.wrongSteps(.logical, using: &random).map { wrong in
        func text(_ steps: [ReasoningStep]) -> String {
          problem.chain(of: steps, origin: .original).text.trimmingSpace()
        }
        return Exemplar(
          question: problem.question.text, answer: problem.question.answer,
          response: text(problem.rightSteps), wrongResponse: text(wrong))
      }
    }
}

/// A worked example that a teacher is shown.
public struct Exemplar: Hashable, Sendable {
  public var question: String
  /// The gold answer, which rectifying gives as a hint.
  public var answer: String?
  public var response: String
  /// A wrong response near the right one, which corrupting shows.
  public var wrongResponse: String?

  public init(question: String, answer: String?, response: String, wrongResponse: String?) {
    self.question = question
    self.answer = answer
    self.response = response
    self.wrongResponse = wrongResponse
  }

  /// Reads lines of `{"question", "response"}`, with `answer` where `steps` rectify and
  /// `wrong_response` where they corrupt. Throws a `FileError` that names the line and field.
  public static func read(_ path: String, for steps: Set<AnnotationStep>) throws -> [Exemplar] {
    try JSONLinesFile.objects(of: path).map { line in
      Exemplar(
        question: try line.filledString("question"),
        answer: try steps.contains(.rectify)
          ? line.filledString("answer") : line.optionalString("answer"),
        response: try line.filledString("response"),
        wrongResponse: try steps.contains(.corrupt)
          ? line.filledString("wrong_response") : line.optionalString("wrong_response"))
    }
  }
}
