import LinearAlgebra
import Randomness

/// Sequences that one thread decodes together, each with settings of its own. They join and leave between two tokens.
///
/// Prompts are computed whole, several packed into one batch, then each sequence grows by one row a step. One that has
/// ended makes room for the next at once, so no step computes anything for it, and nothing is padded. What a sequence
/// gets depends on the others by rounding only.
///
/// Letters: S active sequences, D hidden size, V vocabulary.
package struct SequenceBatch {
  /// A prompt to be continued.
  package struct Request: Sendable {
    /// Names the sequence in what is reported of it.
    package let id: Int
    package let prompt: [Int]
    package let settings: SamplingSettings
    package let generator: SeededGenerator
    /// How many of the likeliest tokens are reported with each new one; nil: no log-probabilities.
    package let likeliest: Int?

    package init(
      id: Int, prompt: [Int], settings: SamplingSettings, generator: SeededGenerator,
      likeliest: Int? = nil
    ) {
      (self.id, self.prompt, self.settings) = (id, prompt, settings)
      (self.generator, self.likeliest) = (generator, likeliest)
    }
  }

  private struct Sequence {
    let request: Request
    let cache: KeyValueCache
    var generator: SeededGenerator
    var tokens: [Int] = []
    /// Whether the caller wants no more of it.
    var isDropped = false
  }

  /// Prompt tokens that one batch holds, unless one prompt has more.
  private static let prefillTokens = 512

  private let pass: DecoderPass
  private let decoder: Decoder
  private let capacity: Int
  private let context: Int
  /// The next one last.
  private var waiting: [Request]
  private var active: [Sequence] = []

  /// `capacity` sequences are decoded at once; `waiting` join in their order.
  package init(
    pass: DecoderPass, decoder: Decoder, capacity: Int, waiting: [Request] = []
  ) {
    self.pass = pass
    self.decoder = decoder
    self.capacity = capacity
    context = decoder.configuration.maximumPositions
    self.waiting = waiting.reversed()
  }

  package var isEmpty: Bool { waiting.isEmpty && active.isEmpty }

  /// Adds a sequence, which joins as soon as there is room, after those that wait already.
  ///
  /// Precondition of its joining: the prompt is neither empty nor longer than the model's context, and its tokens are in
  /// the vocabulary.
  package mutating func add(_ request: Request) { waiting.insert(request, at: 0) }

  /// Takes out the sequences whose id satisfies `isUnwanted`; nothing more is reported of them.
  package mutating func remove(where isUnwanted: (Int) -> Bool) {
    waiting.removeAll { isUnwanted($0.id) }
    active.removeAll { isUnwanted($0.request.id) }
  }

  /// Lets waiting sequences join where there is room, then gives every active one its next token.
  ///
  /// - Parameters:
  ///   - token: Called with a sequence's id, its new token and, where its request asks for it, the token's prediction,
  ///     which is that of the model itself, whatever the temperature. It returns whether the sequence goes on; if not,
  ///     nothing more is reported of it.
  ///   - ended: Called with a sequence's id and all of it as it ends.
  package mutating func advance(
    token: (Int, Int, TokenPrediction?) -> Bool = { _, _, _ in true },
    ended: (Int, GeneratedSequence) -> Void
  ) {
    while active.count < capacity, !waiting.isEmpty { join(token, ended) }
    if active.isEmpty { return }
    let tokens = active.map { Int32($0.tokens[$0.tokens.count - 1]) }
    let hidden = pass.step(tokens, on: decoder, active.map(\.cache))
    draw(active.indices, from: hidden, token)
    leave(ended)
  }

  /// Computes the prompts of some waiting sequences and draws their first tokens.
  private mutating func join(
    _ token: (Int, Int, TokenPrediction?) -> Bool, _ ended: (Int, GeneratedSequence) -> Void
  ) {
    let first = active.count
    var tokens = 0
    while active.count < capacity, let next = waiting.last,
      tokens == 0 || tokens + next.prompt.count <= Self.prefillTokens
    {
      waiting.removeLast()
      precondition(
        1...context ~= next.prompt.count,
        "prompt \(next.id) has \(next.prompt.count) tokens, the model's context \(context)")
      if let reason = reasonToEnd(next, []) {
        ended(next.id, GeneratedSequence(tokens: [], reason: reason))
      } else {
        tokens += next.prompt.count
        let cache = KeyValueCache(
          decoder.configuration, context: context, precision: pass.precision)
        active.append(Sequence(request: next, cache: cache, generator: next.generator))
      }
    }
    let joined = active[first...]
    guard !joined.isEmpty else { return }
    let hidden = pass.prefill(joined.map(\.request.prompt), on: decoder, joined.map(\.cache))
    draw(first..<active.count, from: hidden, token)
    leave(ended)
  }

  /// The next token of each of the active sequences `range`, from its row of hidden[S, D].
  private mutating func draw(
    _ range: Range<Int>, from hidden: MatrixView, _ report: (Int, Int, TokenPrediction?) -> Bool
  ) {
    let logits = pass.logits(hidden, of: decoder)
    for (row, index) in range.enumerated() {
      let rowLogits = UnsafeMutableBufferPointer(start: logits.row(row), count: logits.columns)
      let request = active[index].request
      // Sampling overwrites them.
      let kept = request.likeliest.map { _ in Array(rowLogits) }
      let token = request.settings.token(rowLogits, &active[index].generator)
      active[index].tokens.append(token)
      let prediction = kept.map { kept in
        kept.withUnsafeBufferPointer {
          TokenPrediction(token: token, logits: $0, likeliest: request.likeliest ?? 0)
        }
      }
      active[index].isDropped = !report(request.id, token, prediction)
    }
  }

  /// Takes out the sequences that have ended.
  private mutating func leave(_ ended: (Int, GeneratedSequence) -> Void) {
    var staying: [Sequence] = []
    for sequence in active where !sequence.isDropped {
      if let reason = reasonToEnd(sequence.request, sequence.tokens) {
        ended(sequence.request.id, GeneratedSequence(tokens: sequence.tokens, reason: reason))
      } else {
        staying.append(sequence)
      }
    }
    active = staying
  }

  private func reasonToEnd(_ request: Request, _ tokens: [Int]) -> GeneratedSequence.Reason? {
    if let last = tokens.last, request.settings.stop.contains(last) { return .stop }
    if tokens.count == request.settings.maximumNewTokens { return .length }
    return request.prompt.count + tokens.count == context ? .context : nil
  }
}
