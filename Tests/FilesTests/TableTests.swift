import Files
import Foundation
import Testing

@Suite struct TableTests {
  @Test("Rows that are written are read back, with the lines in which they begin")
  func roundTrip() throws {
    let rows = [["a", "b,c"], ["\"x\"", "two\nlines"], ["", "é"], ["last", ""]]
    let text = CSV.text(rows)
    #expect(text == "a,\"b,c\"\n\"\"\"x\"\"\",\"two\nlines\"\n,é\nlast,\n")
    let read = try CSV.rows(Array(text.utf8), file: "some.csv")
    #expect(read.map(\.fields) == rows && read.map(\.line) == [1, 2, 4, 5])
  }

  @Test(
    "Line ends of Windows, a last line without one, and empty lines",
    arguments: [
      ("a,b\r\n\r\nc,d\r\n", [1, 3]), ("a,b\n\n\nc,d", [1, 4]), ("a,b\nc,\"d\"", [1, 2]),
    ])
  func lineEnds(text: String, lines: [Int]) throws {
    let rows = try CSV.rows(Array(text.utf8), file: "some.csv")
    #expect(rows.map(\.fields) == [["a", "b"], ["c", "d"]] && rows.map(\.line) == lines)
  }

  @Test(
    "Damaged quotes are named with their line",
    arguments: [
      ("a\n\"b\nc", "line 2: expected a field's closing quotes, found the end of the file"),
      ("a\nb\"c\"", "line 2: expected quotes around a whole field"),
      ("\"a\"b", "line 1: expected quotes around a whole field"),
    ])
  func damage(text: String, message: String) {
    let error = #expect(throws: FileError.self) { try CSV.rows(Array(text.utf8), file: "x.csv") }
    #expect(error?.description.hasPrefix("x.csv: \(message)") == true)
  }

  @Test(
    "A text that a spreadsheet would run is told from numbers and other texts",
    arguments: [
      ("=1+1", true), ("+cmd", true), ("-1+1", true), ("@sum(a)", true), ("\t=1", true),
      ("\r=1", true), ("\n", true), ("\r\na", true), ("a;=1+1", true), ("a\n-b", true),
      ("＝1", true), ("-0.025", false), ("+1e-3", false), ("-inf", false), ("", false),
      ("a=b", false), ("q_proj+v_proj", false), ("a;b", false), ("a - b", false), (" =1", false),
    ])
  func formulas(text: String, isFormula: Bool) {
    #expect(CSV.isFormula(text) == isFormula)
  }

  @Test("Columns are as wide as their widest cell, aligned as asked")
  func text() {
    let table = TextTable(
      [["name", "n", ""], ["a|b", "10", ""], ["c", "5", "x"]], alignments: [.left, .right])
    #expect(table.text == "name   n\na|b   10\nc      5  x")
    #expect(
      table.markdown
        == "| name | n |  |\n| --- | --- | --- |\n| a\\|b | 10 |  |\n| c | 5 | x |")
    #expect(TextTable([]).text.isEmpty)
  }

  @Test(
    "Slurm's cores per task limit those of the affinity mask; what is no number does not",
    arguments: [
      (nil, false), ("1", true), ("0", false), ("-3", false), ("two", false), ("", false),
    ])
  func cores(slurm: String?, isLimited: Bool) {
    let count = AvailableCores.count(slurm: slurm)
    #expect(isLimited ? count == 1 : count == AvailableCores.count(slurm: nil))
    #expect(AvailableCores.count(slurm: "100000") == AvailableCores.count(slurm: nil))
  }

  #if os(Linux)
    @Test("The cores are those that the process may run on")
    func affinity() throws {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["nproc"]
      // nproc reads OMP_NUM_THREADS too.
      process.environment = ["PATH": ProcessInfo.processInfo.environment["PATH"] ?? ""]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      process.waitUntilExit()
      #expect(text == "\(AvailableCores.count(slurm: nil))\n")
    }
  #endif
}
