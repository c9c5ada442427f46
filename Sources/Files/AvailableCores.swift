import Foundation

/// The processor cores that this process may use.
public enum AvailableCores {
  /// The cores of the calling thread's affinity mask (what `sched_getaffinity` returns; set by
  /// `taskset`, cpusets and Slurm), or `SLURM_CPUS_PER_TASK` where that is fewer; at least 1.
  ///
  /// Source: https://slurm.schedmd.com/srun.html, `--cpus-per-task`.
  public static var count: Int {
    count(slurm: ProcessInfo.processInfo.environment["SLURM_CPUS_PER_TASK"])
  }

  /// The same with `slurm` as the value of `SLURM_CPUS_PER_TASK`; a value that is no positive number
  /// is ignored.
  package static func count(slurm: String?) -> Int {
    let limit = slurm.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil } ?? .max
    return max(1, min(affinity, limit))
  }

  /// The bits of the mask that the kernel reports, in hexadecimal with commas; all active processors
  /// where it reports none.
  private static var affinity: Int {
    let status = (try? FileContents.bytes(of: "/proc/thread-self/status")) ?? []
    for line in String(decoding: status, as: UTF8.self).split(separator: "\n")
    where line.hasPrefix("Cpus_allowed:") {
      let bits = line.dropFirst("Cpus_allowed:".count).reduce(0) {
        $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0)
      }
      if bits > 0 { return bits }
    }
    return ProcessInfo.processInfo.activeProcessorCount
  }
}
