import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a worker spends its time on.
public enum Phase: Int, CaseIterable, Sendable {
  /// The seven projections of the layers and their low-rank updates.
  case projections
  case attention
  case normalisation
  /// The feed-forward's nonlinearity, rotation, copies.
  case elementwise
  /// The vocabulary projection with the cross-entropy.
  case vocabulary
}

/// Where the time of some passes went, and how much arithmetic their products were.
public struct PassProfile: Sendable {
  /// Seconds of each phase, summed over the workers, by `Phase.rawValue`.
  private var phases = Array(repeating: 0.0, count: Phase.allCases.count)
  /// Seconds that workers spent in passes, all phases and what lies between them; in decoding, the
  /// drawing of tokens too.
  public var busySeconds = 0.0
  /// Seconds in which weights of other types were expanded, part of the phases' time.
  public var expansionSeconds = 0.0
  /// Seconds in which products were computed, part of the phases' time.
  public var productSeconds = 0.0
  /// Seconds in which operands were rounded to bfloat16, part of the phases' time.
  public var roundingSeconds = 0.0
  /// Multiplications and additions of all products, each counted as one.
  public var operations = 0.0

  public subscript(phase: Phase) -> Double {
    get { phases[phase.rawValue] }
    set { phases[phase.rawValue] = newValue }
  }

  static func + (a: PassProfile, b: PassProfile) -> PassProfile {
    var sum = a
    for phase in Phase.allCases { sum[phase] += b[phase] }
    sum.busySeconds += b.busySeconds
    sum.expansionSeconds += b.expansionSeconds
    sum.roundingSeconds += b.roundingSeconds
    sum.productSeconds += b.productSeconds
    sum.operations += b.operations
    return sum
  }
}

/// A worker's stopwatch. Reading the time costs some 30 ns, and a layer reads it a few dozen times.
final class PassClock {
  var profile = PassProfile()

  static var now: Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
  }

  /// Runs `body` and counts its time to `phase`. Phases do not nest.
  @inline(__always)
  func measure<Result>(_ phase: Phase, _ body: () throws -> Result) rethrows -> Result {
    let start = Self.now
    defer { profile[phase] += Self.now - start }
    return try body()
  }

  /// Counts the time of `body` as rounding to bfloat16. It is part of a phase's time.
  @inline(__always)
  func measureRounding<Result>(_ body: () -> Result) -> Result {
    let start = Self.now
    defer { profile.roundingSeconds += Self.now - start }
    return body()
  }

  /// Counts the time of `body` as expanding weights. It is part of a phase's time.
  @inline(__always)
  func measureExpansion(_ body: () -> Void) {
    let start = Self.now
    defer { profile.expansionSeconds += Self.now - start }
    body()
  }

  /// Counts the operations of a product of m × k and k × n, and the time of `body`, which computes it.
  @inline(__always)
  func measureProduct(_ m: Int, _ k: Int, _ n: Int, _ body: () -> Void) {
    let start = Self.now
    body()
    profile.productSeconds += Self.now - start
    profile.operations += 2 * Double(m) * Double(k) * Double(n)
  }

  /// `LinearAlgebra.multiply`, its operations counted.
  @inline(__always)
  func multiply(
    _ a: MatrixView, _ b: MatrixView, into c: MatrixView, scale: Float = 1, adding: Bool = false
  ) {
    measureProduct(a.rows, a.columns, b.columns) {
      LinearAlgebra.multiply(a, b, into: c, scale: scale, adding: adding)
    }
  }
}
