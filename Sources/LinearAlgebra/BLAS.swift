import COpenBLAS

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What is known of the loaded OpenBLAS, and the two settings that decide its speed.
public enum BLAS {
  /// The number of threads one product may use. Threads that call products of their own side by
  /// side want 1.
  public static var threadCount: Int {
    get { Int(openblas_get_num_threads()) }
    set {
      precondition(newValue >= 1, "a product needs at least one thread, not \(newValue)")
      openblas_set_num_threads(Int32(newValue))
    }
  }

  /// The name of the processor core whose kernels OpenBLAS runs, such as `SkylakeX` or `Haswell`.
  public static var coreName: String {
    openblas_get_corename().map { String(cString: $0) } ?? "unknown"
  }

  /// OpenBLAS's own line on its version and how it was built.
  public static var configuration: String {
    openblas_get_config().map { String(cString: $0) } ?? "unknown"
  }

  /// Makes OpenBLAS run the kernels of `core`, as the environment variable `OPENBLAS_CORETYPE`
  /// would at its start.
  ///
  /// No product may run meanwhile. Returns whether these kernels run now; if not, those from before
  /// do: the library may know no such core, be built for one alone, or not export the entry points
  /// that choose one.
  @discardableResult
  public static func setCore(_ core: String) -> Bool {
    let before = coreName
    guard chooseCore(core) else { return false }
    if coreName.lowercased() == core.lowercased() { return true }
    // Of a name it does not know, OpenBLAS makes a choice of its own.
    _ = chooseCore(before)
    return false
  }

  /// Makes OpenBLAS choose its kernels again as if it started with `core` in `OPENBLAS_CORETYPE`;
  /// false where it cannot.
  private static func chooseCore(_ core: String) -> Bool {
    typealias Entry = @convention(c) () -> Void
    guard let quit = dlsym(nil, "gotoblas_dynamic_quit"),
      let start = dlsym(nil, "gotoblas_dynamic_init")
    else {
      return false
    }
    let setting = getenv("OPENBLAS_CORETYPE").map { String(cString: $0) }
    setenv("OPENBLAS_CORETYPE", core, 1)
    unsafeBitCast(quit, to: Entry.self)()
    unsafeBitCast(start, to: Entry.self)()
    if let setting {
      setenv("OPENBLAS_CORETYPE", setting, 1)
    } else {
      unsetenv("OPENBLAS_CORETYPE")
    }
    return true
  }

  /// Makes OpenBLAS run the widest kernels that the processor has, and returns the core's name.
  ///
  /// On a processor with AVX-512 that OpenBLAS runs with narrower kernels, those of `SkylakeX` take
  /// over: twice the speed on Zen 5 (105 against 210 GFLOP/s a core). Narrower ones come from a
  /// library that is older than the processor, and from an `OPENBLAS_CORETYPE` that a machine's
  /// image sets for other programs; so what decides here is `KEYSTEP_BLAS_CORE`: the core it names,
  /// where it is set, is taken instead.
  @discardableResult
  public static func useWidestKernels() -> String {
    #if arch(x86_64)
      let wide = ["skylakex", "cooperlake", "sapphirerapids"]
      if let chosen = getenv("KEYSTEP_BLAS_CORE") {
        setCore(String(cString: chosen))
      } else if hasAVX512, !wide.contains(coreName.lowercased()) {
        setCore("SkylakeX")
      }
    #endif
    return coreName
  }

  /// Whether the processor and the system run AVX-512's F, BW, CD, DQ and VL instructions.
  static var hasAVX512: Bool {
    guard let file = fopen("/proc/cpuinfo", "r") else { return false }
    defer { fclose(file) }
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
      guard text.hasPrefix("flags") else { continue }
      let flags = Set(text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\n" }))
      return ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"].allSatisfy {
        flags.contains(Substring($0))
      }
    }
    return false
  }
}
