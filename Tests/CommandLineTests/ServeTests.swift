import Foundation
import TestSupport
import Testing

/// `keystep serve` as a process; what it answers is in `ServingTests`.
@Suite struct ServeTests {
  @Test(
    "serve prints its address, warns where it is not loopback, and ends on a signal",
    .timeLimit(.minutes(1)))
  func signals() async throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let model = try numberedModel(in: folder.path)
    for (host, signal, isWarned) in [("127.0.0.1", SIGTERM, false), ("0.0.0.0", SIGINT, true)] {
      let process = newProcess(
        executable("keystep"),
        ["serve", "--model", model, "--name", "tiny", "--host", host, "--port", "0"])
      let (output, errors) = (Pipe(), Pipe())
      process.standardOutput = output
      process.standardError = errors
      try process.run()
      var line = ""
      while !line.contains("\n") {
        let more = output.fileHandleForReading.availableData
        if more.isEmpty { break }
        line += String(decoding: more, as: UTF8.self)
      }
      #expect(
        line.wholeMatch(of: try Regex(#"tiny at http://\#(host):[1-9][0-9]*/v1\n"#)) != nil,
        "\(line)")
      kill(process.processIdentifier, signal)
      let problems = String(
        decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(process.terminationReason == .exit && process.terminationStatus == 0)
      #expect(problems.contains("no authentication") == isWarned)
      #expect(problems.contains("no /v1/chat/completions") == false, "\(problems)")
    }
  }

  @Test("serve reports every wrong flag at once, and an address that is taken")
  func flags() throws {
    let folder = try TemporaryFolder()
    defer { withExtendedLifetime(folder) {} }
    let model = try numberedModel(in: folder.path)
    let wrong = try keystep(
      "serve", "--model", model, "--port", "65536", "--max-batch", "0", "--name", "")
    #expect(wrong.status == 2)
    for flag in ["--port", "--max-batch", "--name"] { #expect(wrong.errors.contains(flag)) }
    let taken = try StubEndpoint { _, _ in .cut() }
    let port = try #require(URL(string: taken.baseURL)?.port)
    let call = try keystep("serve", "--model", model, "--port", "\(port)")
    #expect(call.status == 1)
    #expect(call.errors.contains("127.0.0.1:\(port): expected an address that can be listened at"))
  }
}
