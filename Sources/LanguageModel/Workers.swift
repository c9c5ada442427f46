import CKernels
import Dispatch
import LinearAlgebra

/// Runs `body` for 0 ..< `count` on the cores at once and waits.
public func concurrently(_ count: Int, _ body: @Sendable (Int) -> Void) {
  DispatchQueue.concurrentPerform(iterations: count, execute: body)
}

/// Runs `body` for 0 ..< `count` on the cores at once, each call with `shared`, and waits.
///
/// This is where values that are not `Sendable` cross to other threads. The calls may read what
/// `shared` holds, and write to parts of it that no other call touches.
public func concurrently<Shared>(
  _ count: Int, sharing shared: Shared, _ body: @Sendable (Int, Shared) -> Void
) {
  nonisolated(unsafe) let shared = shared
  DispatchQueue.concurrentPerform(iterations: count) { body($0, shared) }
}

/// Runs `body` for 0 ..< `count` on the cores at once, each call with `shared` as in `concurrently`,
/// and waits; throws one of the errors that were thrown.
public func parallel<Shared>(
  _ count: Int, sharing shared: Shared, _ body: @Sendable (Int, Shared) throws -> Void
) throws {
  let results = Slots<Result<Void, any Error>?>(repeating: nil, count: count)
  concurrently(count, sharing: shared) { index, shared in
    results[index] = Result { try body(index, shared) }
  }
  for index in 0..<count { try results[index]?.get() }
}

/// The results of two pieces of work done side by side; throws the first one's error, or the
/// second's.
///
/// What they return is new, or `Sendable`, since they can hold nothing else.
public func concurrently<A, B>(
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

/// Splits the examples of a step over threads: each worker takes some of the examples, whole, and
/// runs its products on one thread.
///
/// Small products do not fill two threads, and elementwise work is split this way too. Which worker
/// takes which example depends on their sizes alone, and gradients are summed in the order of the
/// workers. The number of workers therefore changes a step's result by rounding only.
public final class Workers {
  public let count: Int
  /// The precision of the products' operands.
  public let precision: Precision
  let passes: [DecoderPass]
  private var gradients: [ParameterStore] = []

  /// Tokens that one pass of a worker holds at once, unless one example has more. More costs
  /// memory, fewer make the products small.
  private let tokensPerPass: Int

  /// With `recomputesActivations` a backward computes each layer's forward again: less memory, more
  /// time, the same bits. Precondition: `count` is at least 1.
  public init(
    count: Int, precision: Precision = .fp32, recomputesActivations: Bool = false,
    tokensPerPass: Int = 512
  ) {
    precondition(
      count >= 1 && tokensPerPass >= 1, "\(count) workers of \(tokensPerPass) tokens a pass")
    self.count = count
    self.precision = precision
    self.tokensPerPass = tokensPerPass
    passes = (0..<count).map { _ in
      DecoderPass(precision: precision, recomputesActivations: recomputesActivations)
    }
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
    concurrently(count, sharing: (total, gradients)) { index, shared in
      let (total, others) = shared
      let range = min(index * block, total.count)..<min((index + 1) * block, total.count)
      for other in others {
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
    concurrently(count, sharing: gradients) { index, gradients in
      let range = min(index * block, gradients.count)..<min((index + 1) * block, gradients.count)
      sums[index] = ks_sum_of_squares(gradients.buffer.base + range.lowerBound, range.count)
    }
    return sums.values.reduce(0, +).squareRoot()
  }

  /// The logits [count, V] after each of `tokens`, one sequence; for inspection, not for training.
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
    concurrently(count, sharing: (passes, decoder, gradients)) { worker, shared in
      let (passes, decoder, gradients) = shared
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
  func split(_ trees: [PrefixTree]) -> [[[Int]]] {
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

/// Results that threads write concurrently, each to indices of its own; that is what makes it
/// `Sendable`.
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
