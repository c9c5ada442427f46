import Randomness

/// A walk on a 7 by 7 grid that wraps around; the answer is the column and row it ends in. A hop
/// goes left.
///
///     start 3 3 ; up 2 ; hop 1 ; where
///     step  up 2 ; y 3 + 2 = 5 ; now 3 5
///     step  hop is left ; hop 1 ; x 3 - 1 = 2 ; now 2 5
struct GridNavigation: ReasoningState {
  static let operators = Direction.allCases.map(\.rawValue) + ["hop"]
  static let words =
    (0..<size).map(String.init) + operators + ["+", "-", "=", "x", "y", "start", "where"]

  static let size = 7

  private enum Direction: String, CaseIterable {
    case up, down, left, right

    /// 0 for x, 1 for y.
    var axis: Int { self == .left || self == .right ? 0 : 1 }
    var sign: Int { self == .up || self == .right ? 1 : -1 }
  }

  private struct Move {
    let name: String
    let distance: Int
    let heading: Direction
    var isHop: Bool { name == "hop" }
  }

  /// x and y.
  private var position: [Int]
  private var moves: [Move]

  init(operators: [String], using random: inout SeededGenerator) {
    position = [random.index(below: Self.size), random.index(below: Self.size)]
    moves = operators.map { name in
      Move(
        name: name, distance: 1 + random.index(below: 3),
        heading: Direction(rawValue: name) ?? .left)
    }
  }

  var question: String {
    let walk = moves.map { "\($0.name) \($0.distance)" }
    return (["start \(position[0]) \(position[1])"] + walk + ["where"]).joined(separator: " ; ")
  }

  var answer: String? {
    moves.isEmpty ? "\(position[0]) \(position[1])" : nil
  }

  var rightStep: ReasoningStep {
    step(heading: moves[0].heading, offBy: 0, mistake: nil)
  }

  var mistakes: [ReasoningStep] {
    let move = moves[0]
    // Not the way the move says; to the right on a hop is its rule turned round.
    let headings = Direction.allCases.filter { $0 != move.heading && !(move.isHop && $0 == .right) }
    var mistakes = headings.map { step(heading: $0, offBy: 0, mistake: .logical) }
    if move.isHop { mistakes.append(step(heading: .right, offBy: 0, mistake: .knowledge)) }
    mistakes += (1..<Self.size).map {
      step(heading: move.heading, offBy: $0, mistake: .calculation)
    }
    return mistakes
  }

  private func step(heading: Direction, offBy error: Int, mistake: Mistake.Kind?) -> ReasoningStep {
    let move = moves[0]
    let (axis, sign) = (heading.axis, heading.sign)
    let from = position[axis]
    var next = self
    next.moves.removeFirst()
    next.position[axis] = (from + sign * move.distance + error + Self.size) % Self.size
    let rule = mistake == .knowledge ? Direction.right : .left
    let parts = [
      move.isHop ? "hop is \(rule.rawValue)" : nil,
      "\(move.name) \(move.distance)",
      "\(axis == 0 ? "x" : "y") \(from) \(sign > 0 ? "+" : "-") \(move.distance) = \(next.position[axis])",
      "now \(next.position[0]) \(next.position[1])",
    ]
    return ReasoningStep(
      text: parts.compactMap(\.self).joined(separator: " ; "), mistake: mistake, next: next)
  }
}
