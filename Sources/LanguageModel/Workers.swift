import CKernels
import Dispatch
import LinearAlgebra

/// Runs `body` for 0 ..< `count` on the cores at once and waits; throws one of the errors that were
/// thrown.
public func parallel(_ count: Int, _ body: @Sendable (Int) throws -> Void) throws {
  let results = Slots<Result<Void, any Error>?>(repeating: nil, count: count)
  concurrently(count) { index in
    results[index] = Result { try body(index) }
  }
  for index in 0..<count { try results[index]?.get() }
}

/// Runs `body` for 0 ..< `count` on the cores at once and waits.
public func concurrently(_ count: Int, _ body: @Sendable (Int) -> Void) {
  DispatchQueue.concurrentPerform(iterations: count, execute: body)
}

/// The results of two pieces of work done side by side; throws the first one's error, or the
/// second's.
public func concurrently<A: Sendable, B: Sendable>(
  _ first: @Sendable () throws -> A, _ second: @Sendable () throws -> B
) throws -> (A, B) {
  let a = Slots<Result<A, any Error>?>(repeating: nil, count: 1)
  let b = Slots<Result<B, any Error>?>(repeating: nil, count: 1)
  concurrently(2) { index in
    if index == 0 { a[0] = Result { try first() } } else { b[0] = Result { try second() } }
  }
  guard let first = try a[0]?.get(), let second = try b[0]?.get() else {
    preconditionFailure("work that was waited for has no result")
  }
  return (first, second)
}

/// The workers that share the work of a step: each takes some of the examples, whole, and runs its
/// products on one thread.
///
/// Small products do not fill two threads, and elementwise work is split this way too. Which worker
/// takes which example depends on their sizes alone, and gradients are summed in the order of the
/// workers, so that a step's result depends on the number of workers by rounding only, and on
/// nothing else.
public final class Workers: @unchecked Sendable {
  public let count: Int
  private let passes: [DecoderPass]
  private var gradients: [ParameterStore] = []

  /// Tokens that one pass of a worker holds at once, unless one example has more. More costs
  /// memory, fewer make the products small.
  private let tokensPerPass: Int

  /// Sets the threads of a single product to one. Precondition: `count` is at least 1.
  public init(count: Int, tokensPerPass: Int = 512) {
    precondition(
      count >= 1 && tokensPerPass >= 1, "\(count) workers of \(tokensPerPass) tokens a pass")
    self.count = count
    self.tokensPerPass = tokensPerPass
    passes = (0..<count).map { _ in DecoderPass() }
    BLAS.threadCount = 1
  }

  /// The loss of each tree under `rule`, in their order.
  public func losses(of trees: [PrefixTree], on decoder: Decoder, rule: LossRule = .weighted)
    -> [ExampleLoss]
  {
    run(trees, on: decoder, rule: rule, gradients: [], dropout: 0)
  }

  /// The loss of each tree under `rule`; the gradients of their sum are written to `gradients`,
  /// which is laid out as `decoder.trainable`.
  ///
  /// `dropout` is the probability, below 1, with which an element of the adapter's input is dropped.
  public func losses(
    of trees: [PrefixTree], on decoder: Decoder, rule: LossRule = .weighted, dropout: Float = 0,
    gradients total: ParameterStore
  ) -> [ExampleLoss] {
    precondition(
      total.slots == decoder.trainable.slots,
      "the gradients are laid out for another set of parameters")
    precondition(0 <= dropout && dropout < 1, "a dropout of \(dropout)")
    if gradients.first?.slots != total.slots { gradients = (1..<count).map { _ in total.zeros() } }
    total.buffer.setZero()
    for other in gradients { other.buffer.setZero() }
    let losses = run(
      trees, on: decoder, rule: rule, gradients: [total] + gradients, dropout: dropout)
    let block = (total.count + count - 1) / count
    concurrently(count) { index in
      let range = min(index * block, total.count)..<min((index + 1) * block, total.count)
      for other in gradients {
        ks_add(
          other.buffer.base + range.lowerBound, total.buffer.base + range.lowerBound, range.count)
      }
    }
    return losses
  }

  /// Where the workers' time went since the last call.
  public func takeProfile() -> PassProfile {
    passes.reduce(PassProfile()) { $0 + $1.takeProfile() }
  }

  /// The Euclidean norm of all of `gradients` together.
  public func norm(of gradients: ParameterStore) -> Double {
    let block = (gradients.count + count - 1) / count
    let sums = Slots<Double>(repeating: 0, count: count)
    concurrently(count) { index in
      let range = min(index * block, gradients.count)..<min((index + 1) * block, gradients.count)
      sums[index] = ks_sum_of_squares(gradients.buffer.base + range.lowerBound, range.count)
    }
    return sums.values.reduce(0, +).squareRoot()
  }

  /// The logits [count, V] after each of `tokens`, a sequence of its own; for looking at, not for
  /// training.
  public func logits(of tokens: [Int], on decoder: Decoder) -> Matrix<Float> {
    passes[0].logits(of: tokens, on: decoder)
  }

  private func run(
    _ trees: [PrefixTree], on decoder: Decoder, rule: LossRule, gradients: [ParameterStore],
    dropout: Float
  ) -> [ExampleLoss] {
    let results = Slots<ExampleLoss>(
      repeating: ExampleLoss(loss: 0, tokens: []), count: trees.count)
    let shares = split(trees)
    concurrently(count) { worker in
      for group in shares[worker] {
        let losses = passes[worker].losses(
          of: group.map { trees[$0] }, on: decoder, rule: rule,
          gradients: gradients.isEmpty ? nil : gradients[worker],
          dropout: dropout)
        for (index, loss) in zip(group, losses) { results[index] = loss }
      }
    }
    return results.values
  }

  /// Which trees each worker takes, and which of those in one pass: the largest first, each to the
  /// worker with the fewest tokens.
  private func split(_ trees: [PrefixTree]) -> [[[Int]]] {
    var totals = Array(repeating: 0, count: count)
    var groups: [[[Int]]] = Array(repeating: [], count: count)
    var fill = Array(repeating: 0, count: count)
    let sizes = trees.map(\.tokenCount)
    for index in trees.indices.sorted(by: { (sizes[$1], $0) < (sizes[$0], $1) }) {
      let worker = totals.indices.min { (totals[$0], $0) < (totals[$1], $1) } ?? 0
      totals[worker] += sizes[index]
      if groups[worker].isEmpty || fill[worker] + sizes[index] > tokensPerPass {
        groups[worker].append([])
        fill[worker] = 0
      }
      groups[worker][groups[worker].count - 1].append(index)
      fill[worker] += sizes[index]
    }
    return groups
  }
}

/// Results that threads write side by side, each to places of its own.
final class Slots<Value>: @unchecked Sendable {
  private let base: UnsafeMutableBufferPointer<Value>

  init(repeating value: Value, count: Int) {
    base = .allocate(capacity: count)
    base.initialize(repeating: value)
  }

  deinit {
    base.deinitialize()
    base.deallocate()
  }

  subscript(index: Int) -> Value {
    get { base[index] }
    set { base[index] = newValue }
  }

  var values: [Value] { Array(base) }
}
