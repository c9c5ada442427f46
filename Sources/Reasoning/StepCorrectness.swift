/// How many of a response's steps are right, whatever its answer.
public struct StepCorrectness: Hashable, Sendable {
  /// The steps that are right, of `total`.
  public var right: Int
  public var total: Int

  public init(right: Int, total: Int) {
    self.right = right
    self.total = total
  }

  /// Of a response to a procedural question, whose right chain is the only one: the statements of that chain, parted by
  /// semicolons, and how many of them the response makes before it first says something else. The conclusion is no step.
  /// Nil for a chain without steps.
  public init?(of response: String, following chain: String) {
    func statements(_ text: String) -> [[Substring]] {
      text.split(separator: ";").map { $0.split(whereSeparator: \.isWhitespace) }
    }
    let steps = statements(chain).dropLast()
    guard !steps.isEmpty else { return nil }
    self.init(
      right: zip(steps, statements(response)).prefix { $0 == $1 }.count, total: steps.count)
  }

  /// Of another response: the equations that it states, and how many of them hold (`StatedArithmetic`). Nil for one that
  /// states none. `modulus` as there.
  public init?(ofEquationsIn response: String, modulus: Int? = nil) {
    let equations = StatedArithmetic.equations(in: response, modulus: modulus)
    guard !equations.isEmpty else { return nil }
    self.init(right: equations.count { $0.holds }, total: equations.count)
  }

  /// Of a response to a question of `task`, of which `chain` is a right chain where one is known. Nil where nothing can
  /// be said: of a procedural response without a known chain, and of others without equations.
  public init?(of response: String, question: String, task: String, rightChain chain: String?) {
    if ProceduralTask(rawValue: task) != nil {
      guard let chain else { return nil }
      self.init(of: response, following: chain)
    } else {
      self.init(
        ofEquationsIn: response, modulus: StatedArithmetic.modulus(namedIn: question))
    }
  }
}
