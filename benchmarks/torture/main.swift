// Kills sweeps at random moments, starts them again, and compares them with an uninterrupted one:
//   swift run -c release torture [KILLS [PROCESSES [SEED]]]
import Foundation
import TestSupport

let numbers = CommandLine.arguments.dropFirst().map { Int($0) }
guard numbers.count <= 3, numbers.allSatisfy({ $0 ?? 0 > 0 }) else {
  print("usage: torture [KILLS [PROCESSES [SEED]]]: whole numbers above 0")
  exit(2)
}
func number(_ index: Int, default standard: Int) -> Int {
  index < numbers.count ? numbers[index] ?? standard : standard
}
let products = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
let folder = NSTemporaryDirectory() + "keystep-torture-\(UUID().uuidString)"
var torture = SweepTorture(
  executable: products + "/key-step-ratio",
  arguments: SweepTorture.smallSweep + ["--seeds", "2", "--beta", "-0.1,0"], folder: folder,
  kills: number(0, default: 100), processes: number(1, default: 1),
  seed: UInt64(number(2, default: 1)))
torture.log = {
  print($0)
  fflush(nil)
}
do {
  let report = try torture.run()
  for problem in report.problems { print(problem) }
  print(
    "\(report.kills) kills of \(torture.processes) processes a sweep, \(report.sweeps) sweeps of "
      + "\(report.runs) runs: "
      + (report.problems.isEmpty
        ? "the same CSV and weights, no run made twice, none missing"
        : "\(report.problems.count) problems; see \(folder)"))
  guard report.problems.isEmpty else { exit(1) }
  try FileManager.default.removeItem(atPath: folder)
} catch {
  print("\(error); see \(folder)")
  exit(1)
}
