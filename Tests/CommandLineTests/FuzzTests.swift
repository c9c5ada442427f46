import Foundation
import TestSupport
import Testing

/// A short run of the fuzzer (`make fuzz` gives each reader a million inputs).
@Suite struct FuzzTests {
  private let root = URL(fileURLWithPath: #filePath).pathComponents.dropLast(3)
    .joined(separator: "/")

  @Test("No reader traps or hangs on 400 mutated inputs")
  func mutations() throws {
    let place = try Workplace()
    let call = try runExecutable(
      executable("fuzz"),
      [
        "--inputs", "400", "--seed", "2", "--fixtures", root + "/Tests/Fixtures", "--failures",
        place.path + "/failures", "--output", place.path + "/fuzz.csv",
      ])
    #expect(call.status == 0, "\(call.output)\(call.errors)")
    #expect(call.lines.count >= 35)
    #expect(call.lines.allSatisfy { $0.contains(": 400 inputs, 0 failures") }, "\(call.output)")
    let noted = try place.text("fuzz.csv").split(separator: "\n")
    #expect(noted.count == call.lines.count + 1 && noted[1].contains(",2,400,0,"), "\(noted)")
  }

  @Test("Inputs on which a reader once failed are read or refused")
  func regressions() throws {
    let folder = root + "/Tests/Fixtures/fuzzing/failures"
    let names = try FileManager.default.contentsOfDirectory(atPath: folder)
    #expect(!names.isEmpty)
    for name in names {
      // READER-SEED-NUMBER
      let reader = name.split(separator: "-").dropLast(2).joined(separator: "-")
      let call = try runExecutable(
        executable("fuzz"),
        [
          "--reader", reader, "--replay", folder + "/" + name, "--fixtures",
          root + "/Tests/Fixtures",
        ])
      #expect(call.status == 0, "\(name): \(call.errors)")
    }
  }

  @Test("A reader that is not there is refused by name")
  func unknownReader() throws {
    let call = try runExecutable(executable("fuzz"), ["--reader", "pdf"])
    #expect(call.status != 0 && call.errors.contains("found pdf"))
  }
}
