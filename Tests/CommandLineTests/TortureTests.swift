import Foundation
import TestSupport
import Testing

/// Sweeps whose processes are killed, and sweeps that several processes share; `make torture` does the same for longer.
@Suite(.serialized) struct TortureTests {
  @Test(
    "A sweep that is killed again and again leaves what an uninterrupted one leaves, and so do several processes",
    arguments: [(10, 1), (4, 2), (3, 3)])
  func torture(kills: Int, processes: Int) throws {
    let place = try Workplace()
    var torture = SweepTorture(
      executable: executable("key-step-ratio"),
      arguments: SweepTorture.smallSweep + [
        "--seeds", "1", "--beta", "-0.1", "--arms", "stage 1,KRSL,random positions",
      ], folder: place.path, kills: kills, processes: processes, seed: 7)
    torture.longestPause = 0.8
    let report = try torture.run()
    #expect(report.problems.isEmpty)
    #expect(report.kills == kills && report.runs == 3)
  }
}
