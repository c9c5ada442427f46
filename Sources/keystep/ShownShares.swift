import Evaluation
import Statistics

/// A share as people are shown it, to four decimals.
func rounded(_ share: Double) -> Double { (10_000 * share).rounded() / 10_000 }

/// An estimated share with its interval.
func shown(_ estimate: Estimate) -> String {
  "\(rounded(estimate.value)) (95 % interval \(rounded(estimate.low)) … \(rounded(estimate.high)))"
}
