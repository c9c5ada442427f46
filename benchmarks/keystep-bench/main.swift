import ArgumentParser
import Distillation
import Files
import Foundation
import KeySteps
import LanguageModel
import LinearAlgebra
import Randomness
import Reasoning
import Teachers
import Tokenizers

/// Measures the parts of the toolkit whose speed is promised: each subcommand one of them, as JSON lines.
/// `make bench` runs them all, each in a process of its own, so that its peak memory is its own.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keystep-bench", abstract: "Measure training steps, decoding and alignment.",
    subcommands: [
      All.self, Peak.self, Step.self, Decode.self, EditScript.self, Scaling.self,
      Reproducibility.self, TrainStudent.self,
    ],
    defaultSubcommand: All.self)
}

Bench.main()

/// The seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = ContinuousClock.now
  try body()
  return (ContinuousClock.now - start) / .seconds(1)
}

extension [Double] {
  var median: Double {
    let sorted = sorted()
    guard let middle = sorted.indices.dropFirst(sorted.count / 2).first else { return .nan }
    return sorted.count.isMultiple(of: 2)
      ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }
}

/// The standard output of this executable, called anew with `arguments`, and with `environment` beside its own; nil
/// takes a variable away.
func outputOfBench(_ arguments: [String], environment: [String: String?] = [:]) throws -> Data {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
  process.arguments = arguments
  var all = ProcessInfo.processInfo.environment
  for (name, value) in environment { all[name] = value }
  process.environment = all
  let pipe = Pipe()
  process.standardOutput = pipe
  try process.run()
  let data = pipe.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  guard process.terminationReason == .exit, process.terminationStatus == 0 else {
    throw ValidationError("\(arguments.joined(separator: " ")) gave no result")
  }
  return data
}

func printLine(_ values: [String: Any]) throws {
  let data = try JSONSerialization.data(
    withJSONObject: values, options: [.sortedKeys, .withoutEscapingSlashes])
  FileHandle.standardOutput.write(data + Data("\n".utf8))
}

extension Precision: ExpressibleByArgument {}
extension Decoder.WeightForm: ExpressibleByArgument {}

/// The machine's matrix product in this precision, all workers at once, each on one thread: the best of
/// several rounds, in GFLOP/s. This is what a step's fraction of the peak is measured against.
func measuredPeak(workers: Int, _ precision: Precision) -> Double {
  let n = 1024
  let matrices = (0..<workers).map { _ in
    (0..<3).map { _ in
      let buffer = FloatBuffer(count: n * n)
      buffer.base.update(repeating: 0.5, count: n * n)
      return buffer
    }
  }
  let rounded = matrices.map { BFloat16Matrix(rounding: $0[0].matrix(rows: n, columns: n)) }
  let packed = rounded.map { PackedBFloat16($0) }
  let products = (0..<workers).map { _ in BFloat16Products() }
  let rounds = (0..<8).map { _ in
    seconds {
      concurrently(workers, sharing: (matrices, products)) { worker, shared in
        let (matrices, products) = shared
        let views = matrices[worker].map { $0.matrix(rows: n, columns: n) }
        for _ in 0..<10 {
          switch precision {
          case .fp32: multiply(views[0], views[1].transposed, into: views[2])
          case .bf16:
            products[worker].multiply(rounded[worker].view, packed[worker], into: views[2])
          }
        }
      }
    }
  }
  let operations = Double(workers) * 10 * 2 * Double(n * n * n)
  return operations / (rounds.min() ?? .infinity) / 1e9
}

/// What share of the measured peak (GFLOP/s) the products of `wall` seconds reached, and where the
/// workers' time went: what is in no phase of a pass is waiting, the optimiser and the sums.
func breakdown(_ profile: PassProfile, wall: Double, workers: Int, peak: Double) -> [String: Any] {
  let capacity = wall * Double(workers)
  let inPhases = Phase.allCases.reduce(0) { $0 + profile[$1] }
  var line: [String: Any] = [
    "peak_gflops": peak, "share_of_peak": profile.operations / wall / (peak * 1e9),
    "share_other_in_pass": (profile.busySeconds - inPhases) / capacity,
    "share_optimiser_and_waiting": 1 - profile.busySeconds / capacity,
  ]
  line["share_products"] = profile.productSeconds / capacity
  line["share_expansion"] = profile.expansionSeconds / capacity
  line["share_rounding"] = profile.roundingSeconds / capacity
  for phase in Phase.allCases { line["share_\(phase)"] = profile[phase] / capacity }
  return line
}

/// What computes the products.
func kernel(_ precision: Precision) -> String {
  precision == .bf16 ? BFloat16Backend.description : BLAS.coreName
}

struct Peak: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "The measured peak of the matrix product.")
  @Option var workers = AvailableCores.count
  @Option var precision: Precision = .fp32

  func run() throws {
    try printLine([
      "work": "peak", "precision": precision.rawValue, "workers": workers,
      "gflops": measuredPeak(workers: workers, precision), "kernel": kernel(precision),
    ])
  }
}
