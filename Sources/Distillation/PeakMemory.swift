import Foundation

/// The most memory the process has had resident at once, in GiB; reported beside a step's speed.
public func peakResidentGiB() -> Double {
  var usage = rusage()
  #if canImport(Darwin)
    getrusage(RUSAGE_SELF, &usage)
    let bytes = Double(usage.ru_maxrss)
  #else
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    let bytes = 1024 * Double(usage.ru_maxrss)
  #endif
  return bytes / Double(1 << 30)
}
