import Foundation
import Statistics

/// How figures are shown in summaries and reports: fractions in per cent, their differences in percentage points.
package struct FigureText: Sendable {
  package let isFraction: Bool

  package init(_ unit: MetricUnit?) { isFraction = unit == .fraction }

  /// `–` if the value is not finite.
  package func value(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    return isFraction ? String(format: "%.1f %%", 100 * value) : String(format: "%.4f", value)
  }

  /// With a sign, and without the unit.
  package func difference(_ value: Double) -> String {
    (value > 0 && value.isFinite ? "+" : "") + size(value)
  }

  /// Without sign and unit.
  package func size(_ value: Double) -> String {
    guard value.isFinite else { return "–" }
    return String(format: isFraction ? "%.1f" : "%.4f", isFraction ? 100 * value : value)
  }

  package func interval(_ estimate: Estimate) -> String { interval(estimate, value) }
  package func differenceInterval(_ estimate: Estimate) -> String {
    interval(estimate, difference)
  }

  private func interval(_ estimate: Estimate, _ shown: (Double) -> String) -> String {
    guard estimate.low.isFinite, estimate.high.isFinite else { return "–" }
    return "\(shown(estimate.low)) … \(shown(estimate.high))"
  }
}
