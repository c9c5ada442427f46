import Evaluation
import Statistics

/// A fraction as it is shown, to four decimals.
func rounded(_ fraction: Double) -> Double { (10_000 * fraction).rounded() / 10_000 }

/// An estimated fraction with its interval.
func shown(_ estimate: Estimate) -> String {
  "\(rounded(estimate.value)) (95 % interval \(rounded(estimate.low)) … \(rounded(estimate.high)))"
}
