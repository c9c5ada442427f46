import Randomness

/// A binary operator of arithmetic modulo 7 or of Boolean algebra, named by its sign.
enum Operator: String {
  case plus = "+"
  case minus = "-"
  case times = "*"
  case max = "@"
  case min = "#"
  case and, or, xor, iff, nand, nor

  /// The rule that a chain states before it uses the operator; nil for the usual ones, which need
  /// none.
  var rule: String? {
    switch self {
    case .max: "max"
    case .min: "min"
    case .xor: "differ"
    case .iff: "same"
    case .nand: "notboth"
    case .nor: "neither"
    case .plus, .minus, .times, .and, .or: nil
    }
  }

  /// The operator that this one would be with its rule turned round; nil where it has none.
  var turnedRound: Operator? {
    switch self {
    case .max: .min
    case .min: .max
    case .xor: .iff
    case .iff: .xor
    case .nand: .nor
    case .nor: .nand
    case .plus, .minus, .times, .and, .or: nil
    }
  }

  /// a ∘ b on 0 ..< 7, or on 0 (false) and 1 (true).
  func callAsFunction(_ a: Int, _ b: Int) -> Int {
    switch self {
    case .plus: (a + b) % Algebra.modulus
    case .minus: (a - b + Algebra.modulus) % Algebra.modulus
    case .times: a * b % Algebra.modulus
    case .max: Swift.max(a, b)
    case .min: Swift.min(a, b)
    case .and: a & b
    case .or: a | b
    case .xor: a ^ b
    case .iff: 1 - (a ^ b)
    case .nand: 1 - (a & b)
    case .nor: 1 - (a | b)
    }
  }
}

/// The values and operators that expressions are made of.
enum Algebra {
  case arithmetic
  case boolean

  static let modulus = 7

  var operators: [Operator] {
    switch self {
    case .arithmetic: [.plus, .minus, .times, .max, .min]
    case .boolean: [.and, .or, .xor, .iff, .nand, .nor]
    }
  }

  /// The names of the values, from 0.
  var values: [String] {
    switch self {
    case .arithmetic: (0...Self.modulus).dropLast().map(String.init)
    case .boolean: ["False", "True"]
    }
  }

  /// Every word of an expression and of the steps to its value.
  var words: [String] {
    values + (self == .arithmetic ? [String(Self.modulus)] : []) + operators.map(\.rawValue)
      + operators.compactMap(\.rule) + ["(", ")", "="]
  }
}

/// An expression on its way to a value: each step works out the leftmost operation whose two sides
/// are values.
///
///     ( 3 # 3 ) + ( 2 @ 4 )    step  # is min ; 3 # 3 = 3 ; now 3 + ( 2 @ 4 )
struct ExpressionState: ReasoningState {
  private let algebra: Algebra
  private let expression: Expression

  private indirect enum Expression: Sendable {
    case value(Int)
    case operation(Operator, Expression, Expression)
  }

  /// A random expression with `operators` in order from left to right.
  init(_ algebra: Algebra, operators: [String], using random: inout SeededGenerator) {
    self.algebra = algebra
    expression = Self.tree(
      operators.compactMap(Operator.init)[...], values: algebra.values.count, using: &random)
  }

  private init(_ algebra: Algebra, _ expression: Expression) {
    self.algebra = algebra
    self.expression = expression
  }

  private static func tree(
    _ operators: ArraySlice<Operator>, values: Int, using random: inout SeededGenerator
  ) -> Expression {
    guard !operators.isEmpty else { return .value(random.index(below: values)) }
    let root = operators.startIndex + random.index(below: operators.count)
    return .operation(
      operators[root], tree(operators[..<root], values: values, using: &random),
      tree(operators[(root + 1)...], values: values, using: &random))
  }

  /// The expression, its inner operations in parentheses.
  var text: String { text(of: expression, isInner: false) }

  private func text(of expression: Expression, isInner: Bool) -> String {
    switch expression {
    case .value(let value): return algebra.values[value]
    case .operation(let sign, let a, let b):
      let text =
        "\(self.text(of: a, isInner: true)) \(sign.rawValue) \(self.text(of: b, isInner: true))"
      return isInner ? "( \(text) )" : text
    }
  }

  var answer: String? {
    if case .value(let value) = expression { algebra.values[value] } else { nil }
  }

  var rightStep: ReasoningStep {
    let (sign, a, b) = nextOperation
    return step(sign, a, b, as: sign, result: sign(a, b), mistake: nil)
  }

  var mistakes: [ReasoningStep] {
    let (sign, a, b) = nextOperation
    let right = sign(a, b)
    // Another operator, a usual one for a usual one; or one of the two values taken for both.
    var mistakes = algebra.operators.filter { $0 != sign && ($0.rule == nil) == (sign.rule == nil) }
      .map {
        (other: Operator) in step(other, a, b, as: other, result: other(a, b), mistake: .logical)
      }
    if a != b {
      mistakes += [a, b].map {
        step(sign, $0, $0, as: sign, result: sign($0, $0), mistake: .logical)
      }
    }
    if let turned = sign.turnedRound {
      mistakes.append(step(sign, a, b, as: turned, result: turned(a, b), mistake: .knowledge))
    }
    mistakes += algebra.values.indices.map {
      step(sign, a, b, as: sign, result: $0, mistake: .calculation)
    }
    return mistakes.filter { ($0.next as? ExpressionState)?.lastResult != right }
  }

  /// What the step that led here came to; nil at the start.
  private var lastResult: Int?

  /// The leftmost operation between two values.
  private var nextOperation: (Operator, Int, Int) {
    var current = expression
    while true {
      guard case .operation(let sign, let a, let b) = current else {
        preconditionFailure("\(text) has no step left")
      }
      switch (a, b) {
      case (.value(let a), .value(let b)): return (sign, a, b)
      case (.operation, _): current = a
      case (.value, .operation): current = b
      }
    }
  }

  /// The step that writes `sign` between a and b, states the rule of `meaning` where there is one,
  /// and comes to `result`.
  private func step(
    _ sign: Operator, _ a: Int, _ b: Int, as meaning: Operator, result: Int, mistake: Mistake.Kind?
  ) -> ReasoningStep {
    var next = ExpressionState(algebra, Self.replacingNext(in: expression, by: result))
    next.lastResult = result
    let values = algebra.values
    let parts = [
      meaning.rule.map { "\(sign.rawValue) is \($0)" },
      "\(values[a]) \(sign.rawValue) \(values[b]) = \(values[result])",
      next.answer == nil ? "now \(next.text)" : nil,
    ]
    return ReasoningStep(
      text: parts.compactMap(\.self).joined(separator: " ; "), mistake: mistake, next: next)
  }

  private static func replacingNext(in expression: Expression, by result: Int) -> Expression {
    switch expression {
    case .value, .operation(_, .value, .value): .value(result)
    case .operation(let sign, .value(let a), let b):
      .operation(sign, .value(a), replacingNext(in: b, by: result))
    case .operation(let sign, let a, let b): .operation(sign, replacingNext(in: a, by: result), b)
    }
  }
}
