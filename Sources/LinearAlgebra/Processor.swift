#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What the processor and the system can run, as Linux lists it in `/proc/cpuinfo`; nothing elsewhere.
package enum Processor {
  private static let flags: Set<Substring> = {
    guard let file = fopen("/proc/cpuinfo", "r") else { return [] }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
      guard text.hasPrefix("flags") || text.hasPrefix("Features") else { continue }
      return Set(text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" }))
    }
    return []
  }()

  /// AVX-512's F, BW, CD, DQ and VL instructions.
  package static let hasAVX512 = flags.isSuperset(of: [
    "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl",
  ])

  /// Instructions that multiply bfloat16: AVX512-BF16, AMX-BF16 or Arm's BF16.
  package static let hasBFloat16 = !flags.isDisjoint(with: ["avx512_bf16", "amx_bf16", "bf16"])
}
