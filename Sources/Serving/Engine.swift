import Dispatch
import Foundation
import LanguageModel
import LinearAlgebra
import Randomness
import Synchronization

/// Why a response ended, as OpenAI's API names it.
enum FinishReason: String, Sendable {
  /// At a token that ends sequences, or before a stop string.
  case stop
  /// It is as long as asked for, or fills the model's context.
  case length
}

/// Runs the sequences of all requests on some threads.
///
/// Each thread decodes a `SequenceBatch` of its own. Between two tokens it takes waiting sequences, so that the threads
/// have about as many each, drops those whose request was cancelled, and scores some of the sequences that wait to be
/// scored, packed into one forward pass in which a common start is computed once.
final class Engine: Sendable {
  /// A prompt to be continued.
  struct Continuation: Sendable {
    var prompt: [Int]
    var settings: SamplingSettings
    var generator: SeededGenerator
    /// How many of the likeliest tokens are reported with each new one; nil: no log-probabilities.
    var likeliest: Int?
    var text: ResponseText
  }

  /// What is reported of a continuation, known by its index in the request.
  enum Event: Sendable {
    case piece(Int, ResponsePiece, TokenPrediction?)
    /// With the text that was held back.
    case ended(Int, FinishReason, rest: String)
  }

  private let queue: WorkQueue

  /// - Parameter batch: Sequences that are decoded at once, by all `workers` together.
  ///
  /// Precondition: both are at least 1.
  init(_ model: FrozenDecoder, workers: Int, batch: Int, precision: Precision) {
    precondition(workers >= 1 && batch >= 1, "\(workers) workers for a batch of \(batch)")
    let count = min(workers, batch)
    let queue = WorkQueue(
      capacities: (0..<count).map { batch / count + ($0 < batch % count ? 1 : 0) })
    self.queue = queue
    for worker in 0..<count {
      Thread.detachNewThread {
        let decoder = model.reader()
        let pass = DecoderPass(precision: precision)
        var work = RunningWork(
          sequences: SequenceBatch(
            pass: pass, decoder: decoder, capacity: queue.capacities[worker]))
        while let taken = queue.take(worker, running: work.count) {
          work.add(taken.continuations)
          Self.score(taken.scorings, pass, decoder)
          work.advance()
        }
      }
    }
  }

  deinit { queue.stop() }

  /// Sequences that wait to be decoded or scored.
  var waitingCount: Int { queue.waitingCount }

  /// The scores of `requests`, in their order. Throws `CancellationError` where the task is cancelled.
  ///
  /// Precondition: no sequence is empty or longer than the model's context, and its tokens are in the vocabulary.
  func scores(of requests: [ScoringRequest]) async throws -> [SequenceScores] {
    let (stream, output) = AsyncStream<(Int, SequenceScores)>.makeStream()
    let submission = Submission(count: requests.count)
    output.onTermination = { _ in submission.cancel() }
    queue.add(
      requests.enumerated().map { index, request in
        WorkQueue.Scoring(request: request, submission: submission) { scores in
          output.yield((index, scores))
          if submission.endsLast() { output.finish() }
        }
      })
    if requests.isEmpty { output.finish() }
    var results = [SequenceScores?](repeating: nil, count: requests.count)
    for await (index, scores) in stream { results[index] = scores }
    try Task.checkCancellation()
    return results.compactMap(\.self)
  }

  /// What becomes of `requests`, as it happens. Where nobody reads any more, they are dropped.
  ///
  /// Precondition: as for `scores(of:)`.
  func continuations(_ requests: [Continuation]) -> AsyncStream<Event> {
    let (stream, output) = AsyncStream<Event>.makeStream()
    let submission = Submission(count: requests.count)
    output.onTermination = { _ in submission.cancel() }
    queue.add(
      requests.enumerated().map { index, request in
        WorkQueue.Decoding(request: request, index: index, submission: submission) { event in
          output.yield(event)
          if case .ended = event, submission.endsLast() { output.finish() }
        }
      })
    if requests.isEmpty { output.finish() }
    return stream
  }

  private static func score(
    _ scorings: [WorkQueue.Scoring], _ pass: DecoderPass, _ decoder: Decoder
  ) {
    if scorings.isEmpty { return }
    let forest = ScoringForest(scorings.map(\.request))
    let likeliest = scorings.map { max($0.request.likeliest, $0.request.predictsNext ? 1 : 0) }
    let predictions = pass.predictions(
      of: forest.trees, on: decoder, likeliest: likeliest.max() ?? 0)
    for (scoring, scores) in zip(scorings, forest.scores(predictions)) { scoring.report(scores) }
  }
}

/// One thread's sequences with who waits for them.
private struct RunningWork {
  var sequences: SequenceBatch
  private var decodings: [Int: WorkQueue.Decoding] = [:]
  private var nextID = 0

  init(sequences: SequenceBatch) { self.sequences = sequences }

  var count: Int { decodings.count }

  mutating func add(_ decodings: [WorkQueue.Decoding]) {
    for decoding in decodings {
      let request = decoding.request
      sequences.add(
        SequenceBatch.Request(
          id: nextID, prompt: request.prompt, settings: request.settings,
          generator: request.generator, likeliest: request.likeliest))
      self.decodings[nextID] = decoding
      nextID += 1
    }
  }

  /// Gives each sequence its next token.
  mutating func advance() {
    let cancelled = decodings.filter { $0.value.submission.isCancelled }
    if !cancelled.isEmpty {
      sequences.remove { cancelled[$0] != nil }
      for id in cancelled.keys { decodings[id] = nil }
    }
    var decodings = decodings
    sequences.advance(
      token: { id, token, prediction in
        guard var decoding = decodings[id] else { return false }
        let piece = decoding.request.text.append(token)
        decoding.report(.piece(decoding.index, piece, prediction))
        guard decoding.request.text.isStopped else {
          decodings[id] = decoding
          return true
        }
        decoding.report(.ended(decoding.index, .stop, rest: ""))
        decodings[id] = nil
        return false
      },
      ended: { id, sequence in
        guard var decoding = decodings[id] else { return }
        let rest = decoding.request.text.rest()
        decoding.report(
          .ended(decoding.index, sequence.reason == .stop ? .stop : .length, rest: rest))
        decodings[id] = nil
      })
    self.decodings = decodings
  }
}

/// What the sequences of one request have in common.
private final class Submission: Sendable {
  private let cancelled = Atomic(false)
  private let running: Atomic<Int>

  init(count: Int) { running = Atomic(count) }

  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Whether the sequence that has just ended is the last of the request.
  func endsLast() -> Bool { running.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
}

/// The sequences that wait, in the order in which they came.
private final class WorkQueue: Sendable {
  struct Decoding: Sendable {
    var request: Engine.Continuation
    var index: Int
    var submission: Submission
    var report: @Sendable (Engine.Event) -> Void
  }

  struct Scoring: Sendable {
    var request: ScoringRequest
    var submission: Submission
    var report: @Sendable (SequenceScores) -> Void
  }

  private struct State {
    var scorings: [Scoring] = []
    var decodings: [Decoding] = []
    /// Sequences that each worker decodes.
    var running: [Int]
    var isStopped = false
  }

  /// Distinct tokens that a pass scores, unless the first sequence has more than half of them.
  private static let scoredTokens = 512
  /// Sequences that a pass scores, and so the deepest prefix tree.
  private static let mostScored = 256

  /// Sequences that each worker may decode at once.
  let capacities: [Int]
  private let state: Mutex<State>
  /// Wake the workers.
  private let signals: [DispatchSemaphore]

  init(capacities: [Int]) {
    self.capacities = capacities
    state = Mutex(State(running: capacities.map { _ in 0 }))
    signals = capacities.map { _ in DispatchSemaphore(value: 0) }
  }

  var waitingCount: Int { state.withLock { $0.scorings.count + $0.decodings.count } }

  func add(_ scorings: [Scoring]) {
    state.withLock { $0.scorings += scorings }
    wake()
  }

  func add(_ decodings: [Decoding]) {
    state.withLock { $0.decodings += decodings }
    wake()
  }

  func stop() {
    state.withLock { $0.isStopped = true }
    wake()
  }

  private func wake() { for signal in signals { signal.signal() } }

  /// What `worker`, which decodes `running` sequences, is to take next. Waits where there is nothing to do; nil at the end.
  func take(_ worker: Int, running: Int) -> (continuations: [Decoding], scorings: [Scoring])? {
    while true {
      let taken: (continuations: [Decoding], scorings: [Scoring])?? = state.withLock { state in
        if state.isStopped { return .some(nil) }
        state.decodings.removeAll { $0.submission.isCancelled }
        state.scorings.removeAll { $0.submission.isCancelled }
        state.running[worker] = running
        let scorings = takeScorings(&state.scorings)
        // As many as the other workers have.
        let all = state.running.reduce(0, +) + state.decodings.count
        let part = (all + capacities.count - 1) / capacities.count
        let room = max(0, min(capacities[worker], part) - running)
        let decodings = Array(state.decodings.prefix(room))
        state.decodings.removeFirst(decodings.count)
        state.running[worker] += decodings.count
        return running == 0 && decodings.isEmpty && scorings.isEmpty
          ? nil : (decodings, scorings)
      }
      if let taken { return taken }
      signals[worker].wait()
    }
  }

  /// The first of `waiting` with those that have most in common with it, for one pass.
  private func takeScorings(_ waiting: inout [Scoring]) -> [Scoring] {
    guard let first = waiting.first?.request.tokens else { return [] }
    let most = min(
      (waiting.count + capacities.count - 1) / capacities.count, Self.mostScored)
    let common = waiting.map { $0.request.tokens.commonStart(with: first) }
    let order = waiting.indices.sorted { (common[$1], $0) < (common[$0], $1) }
    var taken: Set<Int> = []
    var tokens = 0
    for index in order.prefix(most) {
      let added = waiting[index].request.tokens.count - (taken.isEmpty ? 0 : common[index])
      if !taken.isEmpty, tokens + added > max(Self.scoredTokens, 2 * first.count) { break }
      taken.insert(index)
      tokens += added
    }
    defer { waiting = waiting.indices.filter { !taken.contains($0) }.map { waiting[$0] } }
    return taken.sorted().map { waiting[$0] }
  }
}
