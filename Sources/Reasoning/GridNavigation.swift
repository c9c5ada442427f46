import Randomness

/// A walk on a 7 by 7 grid that wraps around; the answer is the column and row it ends in. A hop goes the other way.
///
///     start 3 3 ; up 2 ; hop left 1 ; where
///     step  up 2 ; y 3 + 2 = 5 ; now 3 5
///     step  hop is back ; hop left 1 ; x 3 + 1 = 4 ; now 4 5
struct GridNavigation: ReasoningState {
  static let operators = Direction.allCases.map(\.rawValue) + ["hop"]
  static let words =
    (0..<size).map(String.init) + operators + [
      "+", "-", "=", "x", "y", "back", "forward", "start", "where",
    ]

  private static let size = 7

  private enum Direction: String, CaseIterable {
    case up, down, left, right

    var opposite: Direction {
      switch self {
      case .up: .down
      case .down: .up
      case .left: .right
      case .right: .left
      }
    }
    /// 0 for x, 1 for y.
    var axis: Int { self == .left || self == .right ? 0 : 1 }
    var sign: Int { self == .up || self == .right ? 1 : -1 }
  }

  private struct Move {
    let direction: Direction
    let isHop: Bool
    let distance: Int

    /// Where it goes in truth.
    var heading: Direction { isHop ? direction.opposite : direction }
    var text: String { "\(isHop ? "hop " : "")\(direction.rawValue) \(distance)" }
  }

  /// x and y.
  private var position: [Int]
  private var moves: [Move]

  init(operators: [String], using random: inout SeededGenerator) {
    position = [random.index(below: Self.size), random.index(below: Self.size)]
    moves = operators.map { name in
      let any = Direction.allCases[random.index(below: Direction.allCases.count)]
      return Move(
        direction: Direction(rawValue: name) ?? any, isHop: name == "hop",
        distance: 1 + random.index(below: 3))
    }
  }

  var question: String {
    (["start \(position[0]) \(position[1])"] + moves.map(\.text) + ["where"]).joined(
      separator: " ; ")
  }

  var answer: String? {
    moves.isEmpty ? "\(position[0]) \(position[1])" : nil
  }

  var rightStep: ReasoningStep {
    step(heading: moves[0].heading, rule: "back", offBy: 0, mistake: nil)
  }

  var mistakes: [ReasoningStep] {
    let move = moves[0]
    // Not the way the move says: along the other axis, or backwards, which for a hop is the rule turned round.
    let headings = Direction.allCases.filter {
      $0 != move.heading && !(move.isHop && $0 == move.direction)
    }
    var mistakes = headings.map { step(heading: $0, rule: "back", offBy: 0, mistake: .logical) }
    if move.isHop {
      mistakes.append(step(heading: move.direction, rule: "forward", offBy: 0, mistake: .knowledge))
    }
    mistakes += (1..<Self.size).map {
      step(heading: move.heading, rule: "back", offBy: $0, mistake: .calculation)
    }
    return mistakes
  }

  private func step(heading: Direction, rule: String, offBy error: Int, mistake: Mistake.Kind?)
    -> ReasoningStep
  {
    let move = moves[0]
    let (axis, sign) = (heading.axis, heading.sign)
    let from = position[axis]
    var next = self
    next.moves.removeFirst()
    next.position[axis] = (from + sign * move.distance + error + Self.size) % Self.size
    let sum =
      "\(axis == 0 ? "x" : "y") \(from) \(sign > 0 ? "+" : "-") \(move.distance) = \(next.position[axis])"
    let stated = move.isHop ? "hop is \(rule) ; " : ""
    return ReasoningStep(
      text: "\(stated)\(move.text) ; \(sum) ; now \(next.position[0]) \(next.position[1])",
      mistake: mistake,
      next: next)
  }
}
