#if canImport(Darwin)
  @preconcurrency import Darwin
#else
  @preconcurrency import Glibc
#endif

/// The three descriptors that every program is given.
package enum StandardStreams {
  /// Opens the null device in place of those that are closed, for reading alone, so that writing fails as it did.
  /// Otherwise the next file that is opened would get the number, and what is printed would go into it.
  private static func fillClosed() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      // The lowest free number is taken, which is this one.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// To be called by every program before it opens anything: see `fillClosed`. A file that would become larger than the
  /// system allows (`ulimit -f`) is an error of the write, in place of the end of the process. Each line is written as it
  /// is printed, so that a log is up to date while the program works.
  package static func prepare() {
    fillClosed()
    signal(SIGXFSZ, SIG_IGN)
    setvbuf(stdout, nil, _IOLBF, 0)
  }

  /// Lets a write to a pipe that nobody reads fail, in place of ending the process, which may have work to save.
  package static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Writes `bytes` to standard output at once, after what was printed before.
  package static func print(_ bytes: some Sequence<UInt8>) throws(FileError) {
    try flush()
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw failure() }
      rest = rest.dropFirst(count)
    }
  }

  /// Throws where something that was printed could not be written.
  package static func flush() throws(FileError) {
    guard fflush(stdout) == 0, ferror(stdout) == 0 else {
      throw failure()
    }
  }

  private static func failure() -> FileError {
    FileError(
      file: "standard output", expected: "an output that can be written",
      found: String(cString: strerror(errno)))
  }
}
