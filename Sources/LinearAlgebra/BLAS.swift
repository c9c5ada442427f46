import COpenBLAS

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The loaded OpenBLAS: what it is, and the two settings that decide its speed.
///
/// Before its first use in the process, by any product or decomposition of this module, OpenBLAS is
/// set to the widest kernels that the processor has and to one thread for each product.
///
/// On a processor with AVX-512 that OpenBLAS runs with narrower kernels, those of `SkylakeX` are
/// selected: twice the speed on Zen 5 (105 against 210 GFLOP/s a core). Narrower ones come from a
/// library that is older than the processor, or from an `OPENBLAS_CORETYPE` that a machine's image
/// sets for other programs. The environment variable `KEYSTEP_BLAS_CORE` names another core.
public enum BLAS {
  /// The number of threads that one product may use; 1 unless it is set here. Threads that compute
  /// products of their own side by side need 1.
  public static var threadCount: Int {
    get {
      prepare()
      return Int(openblas_get_num_threads())
    }
    set {
      precondition(newValue >= 1, "a product needs at least one thread, not \(newValue)")
      prepare()
      openblas_set_num_threads(Int32(newValue))
    }
  }

  /// The name of the processor core whose kernels OpenBLAS runs, such as `SkylakeX` or `Haswell`.
  public static var coreName: String {
    prepare()
    return loadedCore
  }

  /// Selects kernels and threads at the first call in the process. Every use of OpenBLAS calls it
  /// first; from the second call on it costs one comparison.
  @inline(__always)
  static func prepare() { _ = isPrepared }

  /// Other threads wait here while the first one selects the kernels, so that no product runs
  /// meanwhile. What this calls must not call `prepare`.
  private static let isPrepared: Bool = {
    selectWidestKernels()
    openblas_set_num_threads(1)
    return true
  }()

  private static var loadedCore: String {
    openblas_get_corename().map { String(cString: $0) } ?? "unknown"
  }

  /// OpenBLAS's own line on its version and how it was built.
  public static var configuration: String {
    openblas_get_config().map { String(cString: $0) } ?? "unknown"
  }

  /// Makes OpenBLAS run the kernels of `core`, as the environment variable `OPENBLAS_CORETYPE`
  /// would at its start.
  ///
  /// No product may run meanwhile. Returns whether these kernels run now. If not, the kernels are
  /// those from before: the library may not know this core, be built for a single one, or not
  /// export the entry points that choose one.
  @discardableResult
  public static func setCore(_ core: String) -> Bool {
    prepare()
    return selectCore(core)
  }

  @discardableResult
  private static func selectCore(_ core: String) -> Bool {
    let before = loadedCore
    guard chooseCore(core) else { return false }
    if loadedCore.lowercased() == core.lowercased() { return true }
    // Given a name that it does not know, OpenBLAS makes a choice of its own.
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

  private static func selectWidestKernels() {
    #if arch(x86_64)
      let wide = ["skylakex", "cooperlake", "sapphirerapids"]
      if let chosen = getenv("KEYSTEP_BLAS_CORE") {
        selectCore(String(cString: chosen))
      } else if Processor.hasAVX512, !wide.contains(loadedCore.lowercased()) {
        selectCore("SkylakeX")
      }
    #endif
  }
}
