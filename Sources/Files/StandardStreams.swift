#if canImport(Darwin)
  @preconcurrency import Darwin
#else
  @preconcurrency import Glibc
#endif

/// The three descriptors that every program is given.
package enum StandardStreams {
  /// Opens the null device in place of those that are closed, for reading alone, so that writing fails as it did.
  /// Otherwise the next file that is opened would get the number, and what is printed would go into it. To be called
  /// before anything is opened.
  package static func fillClosed() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO]
    where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
      // The lowest free number is taken, which is this one.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Lets a write to a pipe that nobody reads fail, in place of ending the process, which may have work to save.
  package static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Throws where something that was printed could not be written.
  package static func flush() throws(FileError) {
    guard fflush(stdout) == 0, ferror(stdout) == 0 else {
      throw FileError(
        file: "standard output", expected: "an output that can be written",
        found: String(cString: strerror(errno)))
    }
  }
}
