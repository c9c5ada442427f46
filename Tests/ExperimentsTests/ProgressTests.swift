import Experiments
import Synchronization
import Testing

@Suite struct ProgressTests {
  /// A display whose clock is set by hand, and what it wrote.
  private final class Watched: Sendable {
    private let time = Mutex(ContinuousClock.now)
    private let lines = Mutex("")

    func advance(_ seconds: Double) { time.withLock { $0 += .seconds(seconds) } }
    var text: String { lines.withLock { $0 } }

    func display(
      _ total: Int, jobs: Int = 1, quiet: Duration = .zero,
      isTerminal: Bool = false
    ) -> ProgressDisplay {
      ProgressDisplay(
        "runs", total: total, jobs: jobs, quiet: quiet, isTerminal: isTerminal,
        now: { self.time.withLock { $0 } },
        write: { text in self.lines.withLock { $0 += text } })
    }
  }

  @Test("Nothing finished is no division by zero: the time left is unknown")
  func nothingFinished() {
    let watched = Watched()
    let display = watched.display(3, quiet: .seconds(2))
    watched.advance(5)
    display.finished(count: 0)
    display.close()
    #expect(watched.text == "0 of 3 runs, time left unknown\n")
  }

  @Test("What ends within the quiet time shows nothing")
  func quiet() {
    let watched = Watched()
    let display = watched.display(2, quiet: .seconds(2))
    watched.advance(1)
    for count in 1...2 { display.finished(count: count) }
    display.close()
    #expect(watched.text.isEmpty)
  }

  @Test("The time left is that of the pieces and shared parts that are left, over the jobs")
  func remaining() {
    let watched = Watched()
    let display = watched.display(3, jobs: 2)
    display.expectShared(2)
    display.started("a", "one")
    display.started("b", "two")
    display.shared("a", seconds: 4)
    watched.advance(10)
    display.finished("a", seconds: 10)
    // 6 s of its own and 4 s shared: (2 · 6 + 1 · 4) / 2.
    #expect(watched.text == "1 of 3 runs, about 8 s left  two\n")
    watched.advance(10)
    display.update("b", "stage 2 40 %")
    #expect(watched.text.hasSuffix("1 of 3 runs, about 8 s left  two: stage 2 40 %\n"))
    display.finished("b", seconds: 10, failure: "a mishap")
    #expect(watched.text.contains("two FAILED: a mishap\n"))
  }

  @Test("Counts alone give the mean time so far; a terminal's line is overwritten")
  func counts() {
    let watched = Watched()
    let display = watched.display(4, isTerminal: true)
    watched.advance(6)
    display.finished(count: 2)
    #expect(watched.text == "\r\u{1B}[K2 of 4 runs, about 6 s left")
    watched.advance(0.1)
    display.finished(count: 3)
    #expect(!watched.text.contains("3 of 4"))
    watched.advance(1)
    display.finished(count: 4)
    display.close()
    #expect(watched.text.hasSuffix("4 of 4 runs, about 0 s left\n"))
  }
}
