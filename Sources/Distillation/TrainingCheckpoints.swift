import Checkpoints
import Files
import LanguageModel

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Where and how often a run saves its state, so that it goes on from there after its process has ended.
///
/// The state before the last one is kept beside it, and takes its place where it was damaged.
public struct TrainingCheckpoints: Sendable {
  /// When a state is due.
  public enum Interval: Sendable, Hashable {
    /// After so much time, or a hundred times what saving last took where that is longer, so that saving costs at most
    /// about 1 % of the time. After each step where it is zero.
    case time(Duration)
    /// After a step whose number, counted from 1, is a multiple.
    case steps(Int)
  }

  /// The state's file.
  public var path: String
  /// The learning curve's file, which is written with each state and at the end of the run.
  public var curvePath: String
  /// What else the run depends on, by key.
  public var provenance: [String: String]
  public var interval: Interval

  public init(
    path: String, curvePath: String? = nil, provenance: [String: String] = [:],
    interval: Interval = .time(.seconds(60))
  ) {
    (self.path, self.provenance, self.interval) = (path, provenance, interval)
    self.curvePath = curvePath ?? Self.stem(of: path) + ".steps.csv"
  }

  /// The file of the state before the last one: `training_state.previous.safetensors`.
  package var previousPath: String {
    let stem = Self.stem(of: path)
    return stem + ".previous" + path.dropFirst(stem.count)
  }

  private static func stem(of path: String) -> String {
    let ending = ".safetensors"
    return path.hasSuffix(ending) ? String(path.dropLast(ending.count)) : path
  }
}

/// When the next state is due.
package struct SavingTimer {
  private let interval: TrainingCheckpoints.Interval
  private var due: ContinuousClock.Instant

  /// How much longer than saving the time between two states is at least.
  private static let leastRatio = 100

  package init(_ interval: TrainingCheckpoints.Interval, now: ContinuousClock.Instant) {
    self.interval = interval
    due = now
    saved(in: .zero, now: now)
  }

  /// Whether a state is due after `steps` steps.
  package func isDue(after steps: Int, now: ContinuousClock.Instant) -> Bool {
    switch interval {
    case .time: now >= due
    case .steps(let count): steps.isMultiple(of: count)
    }
  }

  /// Notes that a state was saved, or could not be, which took `cost`.
  package mutating func saved(in cost: Duration, now: ContinuousClock.Instant) {
    if case .time(let interval) = interval {
      let wait = interval == .zero ? .zero : max(interval, cost * Self.leastRatio)
      due = now.advanced(by: wait)
    }
  }
}

extension Trainer {
  /// Takes the steps that are left, validates after those after which that is due, and reports each. The run also ends
  /// where validation no longer improves. `shouldStop` is asked before each step; a run that was stopped can be gone on
  /// with from `checkpoints`, which hold its state then.
  ///
  /// A state that cannot be saved while the run goes on is a message on standard error. Throws a `TrainingError` where
  /// the loss, the gradient or in the end the parameters are not finite.
  public func run(
    saving checkpoints: TrainingCheckpoints? = nil,
    report: (StepReport) throws -> Void = { _ in }, shouldStop: () -> Bool = { false }
  ) throws {
    var timer = checkpoints.map { SavingTimer($0.interval, now: .now) }
    while !isFinished {
      if shouldStop() {
        if let checkpoints { try save(to: checkpoints) }
        return
      }
      var done = try step()
      done.validation = try validateIfDue()
      try report(done)
      guard let checkpoints, timer?.isDue(after: nextStep, now: .now) == true else { continue }
      let start = ContinuousClock.now
      do {
        try save(to: checkpoints)
      } catch let error as FileError {
        StandardError.line("\(error); training goes on, and its state is saved later")
      }
      timer?.saved(in: .now - start, now: .now)
    }
    try checkParameters()
    guard let checkpoints else { return }
    do { try AtomicFile.write(curve.csv, to: checkpoints.curvePath) } catch {
      StandardError.line("\(error); the learning curve is lost")
    }
  }

  /// Saves the state; the one that was there is kept as the one before.
  public func save(to checkpoints: TrainingCheckpoints) throws {
    if FileContents.exists(checkpoints.path) {
      // With a second name for the old state there is one at each moment.
      try FileContents.remove(checkpoints.previousPath)
      if link(checkpoints.path, checkpoints.previousPath) != 0 {
        rename(checkpoints.path, checkpoints.previousPath)
      }
    }
    // First, so that the curve that is found has the steps of the state that is found, and maybe later ones.
    try AtomicFile.write(curve.csv, to: checkpoints.curvePath)
    try save(to: checkpoints.path, provenance: checkpoints.provenance)
  }

  /// Goes on from the last state that is whole; returns false where there is none. One that is damaged is named on
  /// standard error and removed.
  ///
  /// Throws a `FileError` where it is that of another run.
  public func restore(from checkpoints: TrainingCheckpoints) throws -> Bool {
    for path in [checkpoints.path, checkpoints.previousPath] where FileContents.exists(path) {
      let state: (metadata: [String: String], [String: StoredTensor])
      do {
        state = try intactState(path)
      } catch {
        StandardError.line("\(error); the state is damaged and is not used")
        try FileContents.remove(path)
        continue
      }
      try restore(state.metadata, state.1, file: path, provenance: checkpoints.provenance)
      do {
        curve = try LearningCurve(path: checkpoints.curvePath)
        curve.removeSteps(after: nextStep)
      } catch {
        StandardError.line("\(error); the learning curve begins after step \(nextStep)")
      }
      if path != checkpoints.path {
        StandardError.line("\(path): going on from this earlier state, after step \(nextStep)")
      }
      return true
    }
    return false
  }
}
