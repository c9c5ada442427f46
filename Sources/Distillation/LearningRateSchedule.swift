import Foundation

/// How the learning rate changes from step to step, as a factor of its highest value.
public enum LearningRateSchedule: Sendable, Hashable, Codable {
  case constant
  /// × `factor` after each epoch, as EDIT has it with 0.95.
  case exponentialPerEpoch(factor: Double)
  /// Rises linearly over `warmUp` steps, then falls along half a cosine to `floor` at the last
  /// step.
  case cosine(warmUp: Int, floor: Double)

  /// Whether a step's factor depends on how many steps there are in all. Where it does not, a run can be made longer.
  public var dependsOnLength: Bool {
    switch self {
    case .constant, .exponentialPerEpoch: false
    case .cosine: true
    }
  }

  /// The factor at `step`, counted from 0, of `stepCount`, in `epoch`, counted from 0.
  public func factor(step: Int, of stepCount: Int, epoch: Int) -> Double {
    switch self {
    case .constant: return 1
    case .exponentialPerEpoch(let factor): return pow(factor, Double(epoch))
    case .cosine(let warmUp, let floor):
      if step < warmUp { return Double(step + 1) / Double(warmUp) }
      let progress = Double(step - warmUp) / Double(max(1, stepCount - 1 - warmUp))
      return floor + (1 - floor) * 0.5 * (1 + cos(Double.pi * min(1, progress)))
    }
  }
}
