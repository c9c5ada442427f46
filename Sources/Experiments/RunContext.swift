import Files
import Foundation

/// What one run has to work with.
public struct RunContext: Sendable {
  public let settings: RunSettings
  /// The threads it may use.
  public let threads: Int
  let id: String
  let plan: Plan
  let stages: StageStore
  let progress: ProgressDisplay

  /// A part of the run whose result all runs of this code share that agree in what it reads.
  ///
  /// - Parameters:
  ///   - name: what the part is called; two different parts have different names.
  ///   - reads: the settings that it may read. Reading another one is a precondition failure.
  ///   - inputs: what it depends on beside settings and the plan's checksums, by key.
  public func stage(_ name: String, reads: Set<String>, inputs: [String: String] = [:]) -> Stage {
    let limited = settings.limited(to: reads)
    let context = RunContext(
      settings: limited, threads: threads, id: id, plan: plan, stages: stages, progress: progress)
    let known = limited.values.filter { !plan.files.contains($0.key) }
    return Stage(
      context: context,
      provenance: Provenance(
        of: name, code: plan.code, inputs: plan.inputs.merging(inputs) { $1 }, settings: known))
  }

  /// Reports how far the present part of the run is, and throws `CancellationError` if the
  /// experiment was interrupted. Cheap; to be called at every step.
  public func report(_ part: String, _ fraction: Double) throws {
    if Interruption.isRequested { throw CancellationError() }
    progress.update(id, "\(part) \(Int((100 * fraction).rounded())) %")
  }
}

/// A part of a run that runs share.
public struct Stage: Sendable {
  /// That of the run, limited to the settings that the stage reads.
  public let context: RunContext
  public let provenance: Provenance

  public var settings: RunSettings { context.settings }

  /// The stage's folder; `make` fills an empty one if no run has done so before.
  public func folder(make: (String) throws -> Void) throws -> String {
    let start = ContinuousClock.now
    defer {
      context.progress.shared(context.id, seconds: (ContinuousClock.now - start) / .seconds(1))
    }
    return try context.stages.stage(provenance, make: make)
  }
}
