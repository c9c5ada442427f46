import Files
import Foundation
import Synchronization

#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// Which process works on what, in a folder that processes share, be it over NFS.
///
/// The claim on `NAME` is the file `NAME.claim-N` with the highest number. It says who has it, and its owner rewrites
/// it every few seconds. A claim that its owner has given up, whose process has ended on this host, or whose content
/// has not changed for `expiry` is succeeded by the one with the next number, which a process gets by being the first
/// to make that file. No clock of another host is read: how long a content has not changed is what the observer's own
/// monotonic clock says.
///
/// A process that did not write for so long, but has not ended, finds its file gone and stops. A claim of this process
/// that none of its threads holds was left by one that could not give it up, and is succeeded too.
package final class ClaimFolder: Sendable {
  private let folder: String
  private let expiry: Duration
  private let owner: ProcessIdentity
  private let now: @Sendable () -> SuspendingClock.Instant
  private let state = Mutex(State())

  private struct State {
    var held: [ObjectIdentifier: Claim] = [:]
    /// What the claims of others said when they last changed.
    var seen: [String: (content: [UInt8], since: SuspendingClock.Instant)] = [:]
    var isBeating = false
  }

  /// Claims in `folder`, which is made when the first one is. An owner writes ten times within `expiry`.
  package init(
    folder: String, expiry: Duration = .seconds(120), owner: ProcessIdentity = .current,
    now: @escaping @Sendable () -> SuspendingClock.Instant = { .now }
  ) {
    (self.folder, self.expiry, self.owner, self.now) = (folder, expiry, owner, now)
  }

  /// The claim on `name`; nil while another has it.
  package func claim(_ name: String) throws(FileError) -> Claim? {
    let numbers = try numbers(name)
    let last = numbers.last ?? 0
    if last > 0, !isOver(path(name, last)) { return nil }
    let path = path(name, last + 1)
    guard HeldPaths.insert(path) else { return nil }
    var descriptor: Int32?
    defer { if descriptor == nil { HeldPaths.remove(path) } }
    descriptor = try create(path)
    guard let descriptor else { return nil }
    let claim = Claim(name, last + 1, descriptor: descriptor, owner: owner, folder: self)
    removeFiles(of: name) { $0 != claim.path }
    hold(claim)
    return claim
  }

  /// Removes those files of claims on `name`, begun ones included, whose path `isRemoved` is true of.
  fileprivate func removeFiles(of name: String, where isRemoved: (String) -> Bool) {
    for found in (try? FileContents.names(inFolder: folder)) ?? []
    where found.hasPrefix(name + ".claim-") && isRemoved("\(folder)/\(found)") {
      unlink("\(folder)/\(found)")
    }
  }

  /// Whether there are files of claims on `name`, of living processes or of ended ones.
  package func hasFiles(of name: String) -> Bool {
    ((try? FileContents.names(inFolder: folder)) ?? []).contains { $0.hasPrefix(name + ".claim-") }
  }

  /// Who has the claim on `name`, in words; nil where nobody has.
  package func holder(of name: String) throws(FileError) -> String? {
    try numbers(name).last.flatMap { ClaimContent(at: path(name, $0))?.holder }
  }

  /// Who works on what: for each name that is claimed, the owner in words. The owner's process runs, or it is on another
  /// host and wrote within `expiry`, by the clock of the file system alone.
  package func working() -> [String: String] {
    var last: [String: Int] = [:]
    for found in (try? FileContents.names(inFolder: folder)) ?? [] {
      guard let mark = found.ranges(of: ".claim-").last,
        let number = Int(found[mark.upperBound...])
      else { continue }
      let name = String(found[..<mark.lowerBound])
      last[name] = max(number, last[name] ?? 0)
    }
    guard !last.isEmpty else { return [:] }
    let now = Self.time(inFolder: folder)
    var working: [String: String] = [:]
    for (name, number) in last {
      let path = path(name, number)
      guard let content = ClaimContent(at: path), let holder = content.holder else { continue }
      let isLiving =
        content.owner.isRunning
        || Self.lastWrite(path).map { Double(now - $0) < expiry / .seconds(1) } ?? false
      if isLiving { working[name] = holder }
    }
    return working
  }

  /// The present time as the file system of `folder` has it, in seconds; that of this host where nothing can be written.
  private static func time(inFolder folder: String) -> Int {
    let path = "\(folder)/.time-\(UUID().uuidString)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return Int(Date().timeIntervalSince1970) }
    close(descriptor)
    defer { unlink(path) }
    return lastWrite(path) ?? Int(Date().timeIntervalSince1970)
  }

  private static func lastWrite(_ path: String) -> Int? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    #if canImport(Darwin)
      return status.st_mtimespec.tv_sec
    #else
      return status.st_mtim.tv_sec
    #endif
  }

  fileprivate func path(_ name: String, _ number: Int) -> String {
    "\(folder)/\(name).claim-\(number)"
  }

  /// The numbers of the claims on `name`, rising.
  private func numbers(_ name: String) throws(FileError) -> [Int] {
    guard FileContents.isFolder(folder) else { return [] }
    let prefix = name + ".claim-"
    let names = (try? FileContents.names(inFolder: folder)) ?? []
    return names.compactMap { $0.hasPrefix(prefix) ? Int($0.dropFirst(prefix.count)) : nil }
      .filter { $0 > 0 }.sorted()
  }

  /// Whether the claim at `path` may be succeeded.
  private func isOver(_ path: String) -> Bool {
    let bytes = (try? FileContents.bytes(of: path)) ?? []
    // One that cannot be read is one that was just given up, or is just being written.
    if let content = ClaimContent(bytes) {
      if !content.isHeld || content.owner.hasEnded { return true }
      if content.owner == .current { return !HeldPaths.contains(path) }
      if content.owner.isRunning { return false }
    }
    return state.withLock { state in
      let now = now()
      guard let seen = state.seen[path], seen.content == bytes else {
        state.seen[path] = (bytes, now)
        return false
      }
      return now - seen.since >= expiry
    }
  }

  /// Makes the file at `path`, with its content from the first moment on; nil where there is one.
  ///
  /// A second name given by link(2) is the one exclusive step that all versions of NFS have. After it the number of
  /// names tells whether it was done, since the server's answer may have been lost.
  ///
  /// Source: open(2), O_EXCL.
  private func create(_ path: String) throws(FileError) -> Int32? {
    func failure(_ reason: Int32) -> FileError {
      FileError(
        file: path, expected: "a folder that can be written to",
        found: String(cString: strerror(reason)))
    }
    let temporary = "\(path)-\(UUID().uuidString)"
    // Another process may remove the folder when it was empty.
    for _ in 0..<8 {
      try AtomicFile.makeFolder(folder)
      let descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      if descriptor < 0, errno == ENOENT { continue }
      guard descriptor >= 0 else { throw failure(errno) }
      guard ClaimContent(owner: owner, isHeld: true, beat: 0).write(to: descriptor) else {
        let error = failure(errno)
        close(descriptor)
        unlink(temporary)
        throw error
      }
      let result = link(temporary, path)
      let reason = errno
      var status = stat()
      let isLinked = result == 0 || (fstat(descriptor, &status) == 0 && status.st_nlink == 2)
      unlink(temporary)
      if isLinked { return descriptor }
      close(descriptor)
      switch reason {
      case EEXIST: return nil
      case ENOENT: continue
      case EPERM, EOPNOTSUPP, ENOSYS: return try createWithoutLink(path, failure)
      default: throw failure(reason)
      }
    }
    throw failure(ENOENT)
  }

  /// The same on a file system without hard links.
  private func createWithoutLink(_ path: String, _ failure: (Int32) -> FileError) throws(FileError)
    -> Int32?
  {
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      if errno == EEXIST { return nil }
      throw failure(errno)
    }
    guard ClaimContent(owner: owner, isHeld: true, beat: 0).write(to: descriptor) else {
      let error = failure(errno)
      close(descriptor)
      unlink(path)
      throw error
    }
    return descriptor
  }

  // MARK: Beating

  private func hold(_ claim: Claim) {
    let starts = state.withLock { state in
      state.held[ObjectIdentifier(claim)] = claim
      defer { state.isBeating = true }
      return !state.isBeating
    }
    guard starts else { return }
    let pause = expiry / 10 / .seconds(1)
    Thread.detachNewThread { [weak self] in
      while true {
        Thread.sleep(forTimeInterval: pause)
        guard let claims = self?.claimsToBeat() else { return }
        for claim in claims { claim.renew() }
      }
    }
  }

  /// nil, and no more beats, where no claim is held.
  private func claimsToBeat() -> [Claim]? {
    state.withLock { state in
      state.isBeating = !state.held.isEmpty
      return state.held.isEmpty ? nil : Array(state.held.values)
    }
  }

  fileprivate func drop(_ claim: Claim) {
    _ = state.withLock { $0.held.removeValue(forKey: ObjectIdentifier(claim)) }
  }

  /// Removes the folder if it is empty.
  fileprivate func tidy() { FileContents.removeIfEmpty(folder) }
}

/// The right to work on something, until it is given up.
package final class Claim: Sendable {
  fileprivate let path: String
  private let name: String
  private let successor: String
  private let descriptor: Int32
  private let owner: ProcessIdentity
  private let folder: ClaimFolder
  private let state = Mutex(State())

  private struct State {
    var beat = 0
    var isOver = false
    var isLost = false
    var isHeld = true
  }

  fileprivate init(
    _ name: String, _ number: Int, descriptor: Int32, owner: ProcessIdentity, folder: ClaimFolder
  ) {
    path = folder.path(name, number)
    successor = folder.path(name, number + 1)
    (self.name, self.descriptor, self.owner, self.folder) = (name, descriptor, owner, folder)
  }

  deinit {
    close(descriptor)
    letGo()
  }

  /// Lets other threads of this process have the path, once.
  private func letGo() {
    let wasHeld = state.withLock { state in
      defer { state.isHeld = false }
      return state.isHeld
    }
    if wasHeld { HeldPaths.remove(path) }
  }

  /// Whether another process was seen to have taken over.
  package var isLost: Bool { state.withLock { $0.isLost } }

  /// Renews the claim. Throws where another process has taken over.
  package func check() throws(FileError) {
    renew()
    guard !isLost else {
      throw FileError(
        file: path, expected: "this process's claim",
        found: "that of another process, which took over while this one did not write")
    }
  }

  fileprivate func renew() {
    state.withLock { state in
      guard !state.isOver, !state.isLost else { return }
      state.beat += 1
      // What cannot be written now, on a full disk, is no loss yet.
      _ = ClaimContent(owner: owner, isHeld: true, beat: state.beat).write(to: descriptor)
      // The descriptor's number of names would not tell: over SSHFS it is 0 once the temporary name is removed.
      state.isLost =
        ClaimContent(at: path)?.owner != owner || FileContents.exists(successor)
    }
  }

  /// Lets others claim at once what is not finished.
  package func release() {
    end { _ = ClaimContent(owner: owner, isHeld: false, beat: 0).write(to: descriptor) }
  }

  /// Removes the claim on what is finished.
  package func finish() {
    end { folder.removeFiles(of: name) { _ in true } }
    folder.tidy()
  }

  private func end(_ body: () -> Void) {
    renew()
    folder.drop(self)
    // Not before its file says so.
    defer { letGo() }
    state.withLock { state in
      guard !state.isOver, !state.isLost else { return }
      state.isOver = true
      body()
    }
  }
}

/// The claims' files that threads of this process hold, or are making.
private enum HeldPaths {
  private static let paths = Mutex(Set<String>())

  /// Whether no other thread has `path`.
  static func insert(_ path: String) -> Bool { paths.withLock { $0.insert(path).inserted } }
  static func remove(_ path: String) { _ = paths.withLock { $0.remove(path) } }
  static func contains(_ path: String) -> Bool { paths.withLock { $0.contains(path) } }
}

/// What a claim's file says: one line, always of the same length, since it is rewritten in its place.
private struct ClaimContent {
  var owner: ProcessIdentity
  var hostName = ProcessIdentity.hostName
  var isHeld: Bool
  var beat: Int

  init(owner: ProcessIdentity, isHeld: Bool, beat: Int) {
    (self.owner, self.isHeld, self.beat) = (owner, isHeld, beat)
  }

  init?(at path: String) {
    guard let bytes = try? FileContents.bytes(of: path) else { return nil }
    self.init(bytes)
  }

  init?(_ bytes: [UInt8]) {
    guard let value = try? JSONValue(bytes, file: "claim") else { return nil }
    let node = JSONNode(value, file: "claim")
    guard let host = try? node.string("host"), let name = try? node.string("host_name"),
      let number = try? node.integer("process"), let process = Int32(exactly: number),
      let start = try? node.string("start"), let state = try? node.string("state")
    else { return nil }
    owner = ProcessIdentity(host: host, number: process, start: start)
    hostName = name
    isHeld = state != "free"
    beat = 0
  }

  /// Who has the claim, in words; nil where it was given up or its process has ended on this host.
  var holder: String? {
    isHeld && !owner.hasEnded ? "process \(owner.number) on \(hostName)" : nil
  }

  /// Writes and flushes the line; returns whether that worked.
  func write(to descriptor: Int32) -> Bool {
    let digits = String(beat)
    let json = JSONValue.members(
      ("host", .string(owner.host)), ("host_name", .string(hostName)),
      ("process", .integer(Int(owner.number))), ("start", .string(owner.start)),
      ("state", .string(isHeld ? "held" : "free")),
      ("beat", .string(String(repeating: "0", count: max(0, 19 - digits.count)) + digits)))
    let line = Array((json.text() + "\n").utf8)
    return pwrite(descriptor, line, line.count, 0) == line.count && fsync(descriptor) == 0
  }
}
