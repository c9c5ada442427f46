import Experiments
import Files
import Foundation
import TestSupport
import Testing

@Suite struct LearningCurvesTests {
  @Test(
    "Windows are single steps at first, four for each doubling later, and end with the last step")
  func windows() {
    #expect(MeanCurves.windows(upTo: 0) == [])
    #expect(MeanCurves.windows(upTo: 3) == [1, 2, 3])
    #expect(MeanCurves.windows(upTo: 16) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16])
    #expect(MeanCurves.windows(upTo: 33).suffix(5) == [19, 22, 26, 32, 33])
  }

  @Test("A curve with a step beyond all is an error that names its line, after the CSV is written")
  func longest() throws {
    let folder = try TemporaryFolder()
    let experiment = toyExperiment { context in
      context.keep(curve: [["step", "loss"], ["1000000000000000000", "1"]], of: "stage 2")
      return [Metric(.score, unit: .fraction, value: 0.5)]
    }
    let output = folder.path + "/toy.csv"
    #expect(experiment.run(["--output", output], folder: folder.path + "/runs") == 1)
    #expect(try CSV.rows(of: output).count > 1)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/toy.steps.csv"))
  }

  /// A curve of ten steps of the run with this seed.
  private static func curve(_ seed: Int, _ arm: String) -> [[String]] {
    [["step", "loss", "accuracy"]]
      + (1...10).map { step in
        ["\(step)", "\(step * (seed + 1))", step == 10 && arm == "with" ? "0.5" : ""]
      }
  }

  @Test(
    "A sweep's curves are kept for each run, and their means over seeds and windows beside its CSV")
  func sweep() throws {
    let folder = try TemporaryFolder()
    let experiment = toyExperiment { context in
      let (arm, seed) = (context.settings.arm, Int(context.settings.seed))
      if arm == "with" { context.keep(curve: [["step", "rate"], ["1", "3"]], of: "warm-up") }
      context.keep(curve: Self.curve(seed, arm), of: "stage 2")
      return [Metric(.score, unit: .fraction, value: 0.5)]
    }
    let output = folder.path + "/toy.csv"
    #expect(
      experiment.run(["--rate", "0.1", "--output", output], folder: folder.path + "/runs") == 0)
    let runs = try FileManager.default.contentsOfDirectory(
      atPath: folder.path + "/runs/toy/steps")
    #expect(runs.count == 4)
    let rows = try CSV.rows(of: folder.path + "/toy.steps.csv").map(\.fields)
    let header = rows[0]
    func values(_ arm: String, _ stage: String, _ column: String) -> [String] {
      let place = { (name: String) in header.firstIndex(of: name) ?? 0 }
      return rows.filter { $0[1] == arm && $0[place("stage")] == stage }.map { $0[place(column)] }
    }
    #expect(values("with", "warm-up", "step") == ["1"])
    #expect(values("with", "warm-up", "seeds") == ["2"])
    // The setting and the curve's column have one name.
    #expect(Set(header).count == header.count)
    #expect(values("with", "warm-up", "rate") == ["0.1"])
    #expect(values("with", "warm-up", "rate_at_step") == ["3"])
    for arm in ["with", "without"] {
      #expect(
        values(arm, "stage 2", "step") == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"])
      // The mean of seeds 0 and 1 is 1.5 times the step.
      #expect(values(arm, "stage 2", "loss").suffix(2) == ["13.5", "15"])
      #expect(values(arm, "stage 2", "accuracy").last == (arm == "with" ? "0.5" : ""))
    }
  }
}
