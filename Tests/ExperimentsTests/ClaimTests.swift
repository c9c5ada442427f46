import Experiments
import Files
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct ClaimTests {
  /// A monotonic clock that stands still until it is moved.
  private final class StillClock: Sendable {
    private let offset = Mutex(Duration.zero)
    private let start = SuspendingClock.now

    var now: SuspendingClock.Instant { offset.withLock { start.advanced(by: $0) } }
    func move(by duration: Duration) { offset.withLock { $0 += duration } }
  }

  private static let elsewhere = ProcessIdentity(host: "another host", number: 1, start: "1")

  @Test("What one has claimed nobody else can, until it is released or finished")
  func once() throws {
    let folder = try TemporaryFolder()
    let (first, second) = (ClaimFolder(folder: folder.path), ClaimFolder(folder: folder.path))
    let claim = try #require(try first.claim("a"))
    #expect(try second.claim("a") == nil && first.claim("a") == nil)
    #expect(try second.holder(of: "a")?.hasPrefix("process \(getpid()) on ") == true)
    let other = try #require(try second.claim("b"))
    claim.release()
    #expect(try first.holder(of: "a") == nil)
    let again = try #require(try second.claim("a"))
    #expect(try first.claim("a") == nil)
    again.finish()
    other.finish()
    // The folder goes with the last claim, and comes again.
    #expect(!FileManager.default.fileExists(atPath: folder.path))
    try #require(try first.claim("a")).finish()
  }

  @Test("Of many threads that claim at once one gets it")
  func race() throws {
    let folder = try TemporaryFolder()
    for round in 0..<50 {
      let claims = Mutex<[Claim]>([])
      DispatchQueue.concurrentPerform(iterations: 8) { _ in
        let store = ClaimFolder(folder: folder.path)
        if let claim = try? store.claim("\(round)") { claims.withLock { $0.append(claim) } }
      }
      #expect(claims.withLock { $0.count } == 1)
      #expect(folder.names() == ["\(round).claim-1"])
      claims.withLock { $0[0].finish() }
    }
  }

  @Test(
    "The claim of a process that has ended on this host is free at once, that of a living one never"
  )
  func ended() throws {
    let folder = try TemporaryFolder()
    let clock = StillClock()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sleep")
    process.arguments = ["60"]
    try process.run()
    let number = process.processIdentifier
    let host = ProcessIdentity.current.host
    for start in ["", "1"] {
      let owner = ProcessIdentity(host: host, number: number, start: start)
      #expect(owner.hasEnded == (start == "1"))
    }
    let living = ProcessIdentity(host: host, number: number, start: "")
    let (theirs, mine) = (
      ClaimFolder(folder: folder.path, expiry: .seconds(1000), owner: living),
      ClaimFolder(folder: folder.path, expiry: .seconds(1), now: { clock.now })
    )
    let claim = try #require(try theirs.claim("a"))
    #expect(try mine.claim("a") == nil)
    clock.move(by: .seconds(100))
    #expect(try mine.claim("a") == nil)
    // Other tests may have made this process, and so its children, ignore SIGTERM.
    kill(number, SIGKILL)
    process.waitUntilExit()
    let taken = try #require(try mine.claim("a"))
    // The old owner, were it still there, would notice.
    #expect(throws: FileError.self) { try claim.check() }
    try taken.check()
    #expect(claim.isLost && !taken.isLost)
    claim.finish()
    #expect(folder.names() == ["a.claim-2"])
    // Its number may be another process's by now.
    #expect(ProcessIdentity(host: host, number: getpid(), start: "1").hasEnded)
    #expect(
      ProcessIdentity.current.isRunning && !Self.elsewhere.isRunning && !Self.elsewhere.hasEnded)
  }

  @Test(
    "A claim of another host expires by the observer's clock alone, from when its content last changed",
    arguments: [-1e9, 0, 1e9])
  func expiry(skew: Double) throws {
    let folder = try TemporaryFolder()
    let clock = StillClock()
    let (theirs, mine) = (
      ClaimFolder(folder: folder.path, expiry: .seconds(1000), owner: Self.elsewhere),
      ClaimFolder(folder: folder.path, expiry: .seconds(60), now: { clock.now })
    )
    let claim = try #require(try theirs.claim("a"))
    // The other host's clock is wrong by decades.
    try FileManager.default.setAttributes(
      [.modificationDate: Date(timeIntervalSinceNow: skew)],
      ofItemAtPath: folder.path + "/a.claim-1")
    #expect(try mine.claim("a") == nil)
    clock.move(by: .seconds(59))
    #expect(try mine.claim("a") == nil)
    // It writes once more, which starts the time anew.
    try claim.check()
    clock.move(by: .seconds(59))
    #expect(try mine.claim("a") == nil)
    clock.move(by: .seconds(59))
    #expect(try mine.claim("a") == nil)
    clock.move(by: .seconds(1))
    let taken = try #require(try mine.claim("a"))
    #expect(throws: FileError.self) { try claim.check() }
    #expect(folder.names() == ["a.claim-2"])
    taken.finish()
  }

  @Test("An owner renews its claims by itself")
  func beats() throws {
    let folder = try TemporaryFolder()
    let theirs = ClaimFolder(folder: folder.path, expiry: .milliseconds(50), owner: Self.elsewhere)
    let claim = try #require(try theirs.claim("a"))
    let before = try folder.text("a.claim-1")
    var rounds = 0
    while try folder.text("a.claim-1") == before, rounds < 10_000 {
      rounds += 1
      Thread.sleep(forTimeInterval: 0.005)
    }
    #expect(try folder.text("a.claim-1") != before)
    claim.finish()
  }

  @Test("What a process left that was killed while it claimed is removed")
  func halfMade() throws {
    let folder = try TemporaryFolder()
    try folder.write("half", to: "a.claim-1-1234")
    let claim = try #require(try ClaimFolder(folder: folder.path).claim("a"))
    #expect(folder.names() == ["a.claim-1"])
    claim.finish()
    // A claim that is no such line is one of an owner that is just writing: it expires.
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    try folder.write("", to: "b.claim-1")
    let clock = StillClock()
    let mine = ClaimFolder(folder: folder.path, expiry: .seconds(60), now: { clock.now })
    #expect(try mine.claim("b") == nil)
    clock.move(by: .seconds(60))
    try #require(try mine.claim("b")).finish()
  }

  @Test("A claim whose file is there is not lost, whatever its descriptor says of its names")
  func namelessDescriptor() throws {
    let folder = try TemporaryFolder()
    let claim = try #require(try ClaimFolder(folder: folder.path).claim("a"))
    // As over SSHFS, where the descriptor is of a file without a name.
    let text = try folder.text("a.claim-1")
    try FileManager.default.removeItem(atPath: folder.path + "/a.claim-1")
    try folder.write(text, to: "a.claim-1")
    try claim.check()
    // Another owner's file under its name is no longer its own.
    try folder.write(
      text.replacingOccurrences(of: "\"process\":\(getpid())", with: "\"process\":1"),
      to: "a.claim-1")
    #expect(throws: FileError.self) { try claim.check() }
  }

  @Test("A claim of this process that no thread holds is free at once")
  func abandoned() throws {
    let folder = try TemporaryFolder()
    let claims = ClaimFolder(folder: folder.path)
    let claim = try #require(try claims.claim("a"))
    let text = try folder.text("a.claim-1")
    claim.finish()
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    try folder.write(text, to: "a.claim-1")
    let again = try #require(try claims.claim("a"))
    #expect(folder.names() == ["a.claim-2"])
    #expect(try ClaimFolder(folder: folder.path).claim("a") == nil)
    again.finish()
  }

  @Test("A folder that cannot be made is an error that names it")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    try folder.write("", to: "file")
    let error = #expect(throws: FileError.self) {
      try ClaimFolder(folder: folder.path + "/file/claims").claim("a")
    }
    #expect(error?.description.contains(folder.path + "/file") == true)
  }
}
