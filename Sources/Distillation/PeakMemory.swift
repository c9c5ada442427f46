import Foundation

/// The most memory the process has had resident at once, in GiB; reported beside a step's speed.
public func peakResidentGiB() -> Double {
  var usage = rusage()
  getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
  return Double(usage.ru_maxrss) / Double(1 << 20)
}
