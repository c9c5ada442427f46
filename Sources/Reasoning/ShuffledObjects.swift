import Randomness

/// Three people who swap and pass on what they have; one is asked for at the end.
///
///     Ann has red ; Bob has blue ; Cid has green ; Ann swap Bob ; all pass ; Bob has what
///     step  Ann swap Bob ; now Ann blue Bob red Cid green
///     step  pass is next ; all pass ; now Ann green Bob blue Cid red
struct ShuffledObjects: ReasoningState {
  static let operators = ["swap", "pass"]
  static let words = people + objects + operators + ["has", "all", "next", "previous", "what"]

  private static let people = ["Ann", "Bob", "Cid"]
  private static let objects = ["red", "blue", "green"]

  private enum Move: Hashable {
    /// Two people give each other what they have.
    case swap(Int, Int)
    /// Everyone gives to the next one, the last one to the first.
    case pass

    static let swaps: [Move] = [.swap(0, 1), .swap(0, 2), .swap(1, 2)]

    var text: String {
      switch self {
      case .swap(let a, let b): "\(people[a]) swap \(people[b])"
      case .pass: "all pass"
      }
    }

    func applied(to holdings: [Int]) -> [Int] {
      switch self {
      case .swap(let a, let b):
        var swapped = holdings
        swapped.swapAt(a, b)
        return swapped
      case .pass: return [holdings[2], holdings[0], holdings[1]]
      }
    }
  }

  /// For each person the object they have.
  private var holdings: [Int]
  private var moves: [Move]
  /// The person who is asked for.
  private let asked: Int

  init(operators: [String], using random: inout SeededGenerator) {
    holdings = Self.objects.indices.shuffled(using: &random)
    moves = operators.map {
      $0 == "pass" ? .pass : Move.swaps[random.index(below: Move.swaps.count)]
    }
    asked = random.index(below: Self.people.count)
  }

  var question: String {
    let start = zip(Self.people, holdings).map { "\($0) has \(Self.objects[$1])" }
    return (start + moves.map(\.text) + ["\(Self.people[asked]) has what"]).joined(separator: " ; ")
  }

  var answer: String? {
    moves.isEmpty ? Self.objects[holdings[asked]] : nil
  }

  var rightStep: ReasoningStep {
    step(moves[0], to: moves[0].applied(to: holdings), rule: "next", mistake: nil)
  }

  var mistakes: [ReasoningStep] {
    let right = moves[0].applied(to: holdings)
    var mistakes = Move.swaps.filter { $0 != moves[0] }.map {
      step($0, to: $0.applied(to: holdings), rule: "next", mistake: .logical)
    }
    if moves[0] == .pass {
      let turned = [holdings[1], holdings[2], holdings[0]]
      mistakes.append(step(.pass, to: turned, rule: "previous", mistake: .knowledge))
    }
    mistakes += Move.swaps.map {
      step(moves[0], to: $0.applied(to: right), rule: "next", mistake: .calculation)
    }
    return mistakes
  }

  private func step(_ move: Move, to holdings: [Int], rule: String, mistake: Mistake.Kind?)
    -> ReasoningStep
  {
    var next = self
    next.holdings = holdings
    next.moves.removeFirst()
    let now = zip(Self.people, holdings).map { "\($0) \(Self.objects[$1])" }.joined(separator: " ")
    let stated = move == .pass ? "pass is \(rule) ; " : ""
    return ReasoningStep(text: "\(stated)\(move.text) ; now \(now)", mistake: mistake, next: next)
  }
}
