import COneDNN
import COpenBLAS

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What computes products of bfloat16 matrices.
///
/// The fastest that is there is chosen at the first product. The environment variable
/// `KEYSTEP_BF16` names another one: `onednn`, `openblas` or `emulated`.
public enum BFloat16Backend: String, Sendable, CaseIterable {
  /// oneDNN's matmul primitive, on a processor with bf16 instructions (AVX512-BF16, AMX, Arm's BF16).
  case oneDNN = "onednn"
  /// `cblas_sbgemm`, in builds of OpenBLAS that have it, on such a processor.
  case openBLAS = "openblas"
  /// Operands rounded to bfloat16 and multiplied in single precision: the same rounding, without the
  /// speed. It runs everywhere.
  case emulated

  /// The one in use.
  public static let selected: BFloat16Backend = {
    if let name = getenv("KEYSTEP_BF16"), let backend = Self(rawValue: String(cString: name)),
      backend.isAvailable
    {
      return backend
    }
    return allCases.first { $0.isAvailable && ($0 == .emulated || Processor.hasBFloat16) }
      ?? .emulated
  }()

  /// Whether its library is there; of the processor it says nothing.
  public var isAvailable: Bool {
    switch self {
    case .oneDNN: ks_onednn_load() == KS_ONEDNN_READY
    case .openBLAS: Self.sbgemm != nil
    case .emulated: true
    }
  }

  /// Why the selected one is not fast, and what to do; nil if it is.
  public static var advice: String? {
    guard selected == .emulated else { return nil }
    if !Processor.hasBFloat16 { return "this processor has no bf16 instructions" }
    return switch ks_onednn_load() {
    case KS_ONEDNN_NOT_BUILT: "built without oneDNN; run make setup, then build again"
    case KS_ONEDNN_NO_LIBRARY: "oneDNN's library was not found; run make setup"
    default: "KEYSTEP_BF16=emulated"
    }
  }

  /// The library's version and the kernel that it chooses for a typical product, such as `onednn 2.6.3
  /// brg:avx512_core_amx_bf16`.
  public static var description: String {
    switch selected {
    case .oneDNN:
      "\(selected.rawValue) \(String(cString: ks_onednn_version())) \(BFloat16Products.typicalKernel)"
    case .openBLAS, .emulated: selected.rawValue
    }
  }

  typealias SBGemm =
    @convention(c) (
      Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<UInt16>, Int32,
      UnsafePointer<UInt16>, Int32, Float, UnsafeMutablePointer<Float>, Int32
    ) -> Void

  /// OpenBLAS's product, which few builds export.
  static let sbgemm: SBGemm? = {
    BLAS.prepare()
    return dlsym(nil, "cblas_sbgemm").map { unsafeBitCast($0, to: SBGemm.self) }
  }()
}
