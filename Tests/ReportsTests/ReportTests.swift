import Evaluation
import Experiments
import Files
import Foundation
import Reasoning
import Reports
import Statistics
import TestSupport
import Testing

@Suite struct ReportTests {
  /// What SciPy and statsmodels say of `experiment.csv`, made by `Tests/Fixtures/evaluation/make.py`.
  private struct Expected: Decodable {
    struct Comparison: Decodable {
      let point: Int
      let split, metric: String
      let difference: Double
      let seedsInterval, interval: [Double]
      let tP, tQ, p, q, degrees, margin: Double
    }
    struct Accuracy: Decodable {
      let point: Int
      let split: String
      let accuracy: Double
      let interval: [Double]
    }
    struct Surface: Decodable { let coefficients, standardErrors: [Double] }
    let chosen: Int
    let comparisons: [Comparison]
    let accuracies: [Accuracy]
    let surface: Surface
  }

  private let expected: Expected
  private let path = fixture("evaluation/experiment.csv").path

  init() throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    expected = try decoder.decode(
      Expected.self, from: Data(contentsOf: fixture("evaluation/experiment.json")))
  }

  private func agree(_ a: Double, _ b: Double) -> Bool {
    abs(a - b) <= 1e-9 * max(1, abs(a), abs(b))
  }

  private func comparisons(
    _ path: String, reference: String = "stage 1", resamples: Int = 500, seed: UInt64 = 0
  ) throws -> Comparisons {
    try Comparisons(
      ResultFile(path: path), reference: reference, resamples: resamples, seed: seed)
  }

  @Test("Differences, their intervals, p and margins agree with SciPy and statsmodels")
  func agreement() throws {
    let found = try comparisons(path)
    let results = found.results
    #expect(
      results.points.count == 10 && results.reference == 0 && results.varying == ["alpha", "beta"])
    #expect(results.tests == ["in domain", "out of domain"])
    #expect(results.points.indices.filter { results.points[$0].isChosen } == [0, expected.chosen])
    #expect(found.comparisons.count == expected.comparisons.count)
    for (ours, theirs) in zip(found.comparisons, expected.comparisons) {
      #expect(ours.point == theirs.point && ours.split == theirs.split)
      #expect(ours.metric.name.rawValue == theirs.metric && ours.seeds == 4)
      #expect(agree(ours.difference.value, theirs.difference))
      #expect(agree(ours.overSeeds.low, theirs.seedsInterval[0]))
      #expect(agree(ours.overSeeds.high, theirs.seedsInterval[1]))
      #expect(ours.difference.basis == .seedsAndQuestions)
      // The value is the mean of the figures, the interval's centre; the items have four digits.
      let digits = ours.metric == .keyTokenNLL ? 1e-3 : 1e-9
      let interval = ours.difference.interval()
      #expect(abs(interval.low - theirs.interval[0]) <= digits)
      #expect(abs(interval.high - theirs.interval[1]) <= digits)
      #expect(abs(ours.difference.degrees / theirs.degrees - 1) <= digits)
      #expect(abs(ours.p - theirs.p) <= digits && abs(ours.q - theirs.q) <= digits)
      #expect(abs(ours.difference.equivalenceMargin() - theirs.margin) <= digits)
      let check = try #require(ours.bootstrap)
      #expect(check.low < theirs.difference && theirs.difference < check.high)
      let isAccuracy = ours.metric == .accuracy || ours.metric == .macroAccuracy
      #expect(ours.drawing == (isAccuracy ? .withinTasks : .alone))
      // An exact test takes seeds as given: with several of them there is none.
      #expect(ours.tally == nil && ours.exactQ == nil)
    }
  }

  @Test("A CSV without items rests on seeds alone, as SciPy's paired t test, and says so")
  func withoutItems() throws {
    let folder = try TemporaryFolder()
    let rows = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    // No field of the fixture holds a comma.
    let bare = rows.map { row in
      var fields = row.split(separator: ",", omittingEmptySubsequences: false)
      fields.remove(at: 14)
      return fields.joined(separator: ",") + "\n"
    }
    try folder.write(bare.joined(), to: "toy.csv")
    let found = try comparisons(folder.path + "/toy.csv")
    for (ours, theirs) in zip(found.comparisons, expected.comparisons) {
      #expect(agree(ours.difference.value, theirs.difference))
      #expect(ours.difference.basis == .seeds && ours.drawing == nil && ours.bootstrap == nil)
      #expect(agree(ours.difference.interval().low, theirs.seedsInterval[0]))
      #expect(agree(ours.p, theirs.tP) && agree(ours.q, theirs.tQ))
    }
    #expect(try Report(found).text.contains("has no column items"))
  }

  @Test("The report shows what was chosen, each figure in its table, and the surface")
  func report() throws {
    let found = try comparisons(path)
    let report = try Report(found)
    let text = report.text
    let chosen = found.results.points[expected.chosen]
    let lines = text.split(separator: "\n").map { line in
      line.split(separator: " ").joined(separator: " ")
    }
    #expect(lines.contains { $0.hasPrefix("\(chosen.label) 4 ") && $0.hasSuffix(" chosen") })
    func percent(_ share: Double) -> String { String(format: "%.1f %%", 100 * share) }
    for row in expected.accuracies {
      let name =
        found.results.points[row.point].label
        + (found.results.points[row.point].isChosen ? " (chosen)" : "")
      let ends = row.interval.map(percent).joined(separator: " … ")
      #expect(lines.contains { $0.hasPrefix("\(name) 4 30 \(percent(row.accuracy)) \(ends) ") })
    }
    let coefficients = zip(expected.surface.coefficients, expected.surface.standardErrors).map {
      String(format: "%.3g (%.2g)", $0, $1)
    }.joined(separator: " ")
    #expect(
      lines.contains { $0.hasPrefix("KRSL accuracy, validation 36 ") && $0.hasSuffix(coefficients) }
    )
    for part in [
      "10 points of 2 arms", "seeds 0, 1, 2, 3", "Commit 0123456789ab", found.results.file.sha256,
      "Bootstrap: 500 resamples, seed 0", "each test was scored once",
      "2 tasks (arithmetic, boolean) are fixed",
      "in domain, accuracy: ", "of 9 differences have q ≤ 0.05", ", within ± ",
    ] { #expect(text.contains(part), "\(part) is not in the report") }

    let markdown = report.markdown
    #expect(markdown.hasPrefix("# Report: toy\n") && markdown.hasSuffix("\n"))
    #expect(markdown.contains("\n| steps | 100 |\n") && markdown.contains("docs/statistics.md"))
    // Every table's rows have as many cells as its header.
    for table in markdown.components(separatedBy: "\n\n") where table.hasPrefix("|") {
      let widths = Set(table.split(separator: "\n").map { $0.filter { $0 == "|" }.count })
      #expect(widths.count == 1, "\(table)")
    }
  }

  @Test("The CSV of comparisons has a row for each, and JSON the same without what is empty")
  func csv() throws {
    let found = try comparisons(path)
    let report = try Report(found)
    let rows = report.csv.split(separator: "\n").map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    #expect(rows.count == 1 + found.comparisons.count && Set(rows.map(\.count)).count == 1)
    let column = Dictionary(rows[0].enumerated().map { ($1, $0) }) { first, _ in first }
    for (row, comparison) in zip(rows.dropFirst(), found.comparisons) {
      func field(_ name: String) -> String { column[name].map { row[$0] } ?? "" }
      #expect(field("arm") == "KRSL" && field("reference") == "stage 1")
      #expect(field("metric") == comparison.metric.name.rawValue)
      #expect(Double(field("difference")) == comparison.difference.value)
      #expect(Double(field("low_95")) == comparison.difference.interval().low)
      #expect(Double(field("degrees")) == comparison.difference.degrees)
      #expect(
        Double(field("equivalence_margin")) == comparison.difference.equivalenceMargin())
      #expect(Double(field("bootstrap_low_95")) == comparison.bootstrap?.low)
      #expect(field("interval") == "t over seeds and questions")
      #expect(Double(field("q")) == comparison.q)
      #expect((field("exact_p") == "") == (comparison.tally == nil))
      #expect((field("chosen") == "yes") == (comparison.point == expected.chosen))
      #expect(field("beta") == found.results.points[comparison.point].varying.last?.value)
    }
    let objects = report.objects
    #expect(objects.count == found.comparisons.count)
    let first = JSONNode(objects[0], file: "")
    #expect(first["seeds"]?.value == .integer(4) && first["alpha"]?.value == .string("0.5"))
    #expect(first.keys.prefix(2) == ["experiment", "split"] && first["exact_p"] == nil)
  }

  @Test("The same seed gives the same report, another seed other intervals only")
  func seeded() throws {
    let first = try Report(comparisons(path)).csv
    #expect(try Report(comparisons(path)).csv == first)
    let other = try comparisons(path, seed: 1)
    #expect(try Report(other).csv != first)
    let differences = try comparisons(path).comparisons.map(\.difference.value)
    #expect(other.comparisons.map(\.difference.value) == differences)
  }

  // MARK: Small files

  private typealias Row = (
    arm: String, beta: String, seed: Int, split: String, metric: String, items: String
  )

  /// A CSV of shares with their answers.
  private func file(_ rows: [Row], in folder: TemporaryFolder) throws -> String {
    let lines = rows.map { row in
      let share = Double(row.items.count { $0 == "1" }) / Double(row.items.count)
      return "e,\(row.arm)\(row.beta)\(row.seed),\(row.arm),\(row.beta),\(row.seed),\(row.split),"
        + "\(row.metric),share,\(share),,,\(row.items.count),\(row.items),1,c\n"
    }
    let header =
      "experiment,run,arm,beta,seed,split,metric,unit,value,low_95,high_95,count,items,run_seconds,commit\n"
    try folder.write(header + lines.joined(), to: "e.csv")
    return folder.path + "/e.csv"
  }

  @Test("With one seed the exact test is McNemar's, and nothing is said of seeds")
  func oneSeed() throws {
    let folder = try TemporaryFolder()
    let path = try file(
      [
        ("a", "", 0, "test", "accuracy", "1111100000"),
        ("b", "", 0, "test", "accuracy", "0111111101"),
      ], in: folder)
    let found = try comparisons(path, reference: "a")
    let comparison = try #require(found.comparisons.first)
    #expect(found.comparisons.count == 1 && comparison.difference.basis == .questions)
    #expect(comparison.tally?.wins == 4 && comparison.tally?.losses == 1)
    #expect(comparison.tally?.pValue == mcNemarExactPValue(onlyFirst: 4, onlySecond: 1))
    #expect(comparison.exactQ == comparison.tally?.pValue && comparison.overSeeds.low == -.infinity)
    // Differences of ten questions with the mean 0.3 and the standard deviation 0.675; t of 9 is 2.262.
    #expect(abs(comparison.difference.interval().low + 0.1829) < 1e-4)
    #expect(abs(comparison.difference.interval().high - 0.7829) < 1e-4)
    let text = try Report(found).text
    #expect(
      text.contains("4 : 1") && text.contains("McNemar's")
        && text.contains("there was nothing to choose"))
  }

  @Test(
    "Step accuracy is compared step by step where all runs have the same steps, else over seeds",
    arguments: [("1/2 0/1", true), ("1/2 0/3", false), ("1/2", false)])
  func stepAccuracy(items: String, areAlike: Bool) throws {
    let folder = try TemporaryFolder()
    func row(_ arm: String, _ seed: Int, _ items: String) -> String {
      let parts = items.split(separator: " ").map {
        $0.split(separator: "/").compactMap { Double($0) }
      }
      let value = parts.map { $0[0] }.reduce(0, +) / parts.map { $0[1] }.reduce(0, +)
      return "e,\(arm)\(seed),\(arm),,\(seed),test,step_accuracy,fraction,\(value),,,"
        + "\(parts.count),\(items),1,c\n"
    }
    let header =
      "experiment,run,arm,beta,seed,split,metric,unit,value,low_95,high_95,count,items,run_seconds,commit\n"
    try folder.write(
      header + row("a", 0, "2/2 1/1") + row("a", 1, "2/2 0/1") + row("b", 0, items)
        + row("b", 1, "0/2 1/1"), to: "e.csv")
    let found = try comparisons(folder.path + "/e.csv", reference: "a")
    let comparison = try #require(found.comparisons.first)
    #expect(found.comparisons.count == 1 && comparison.metric == .stepAccuracy)
    #expect(comparison.difference.basis == (areAlike ? .seedsAndQuestions : .seeds))
    #expect((comparison.bootstrap != nil) == areAlike && comparison.tally == nil)
    let first = items == "1/2 0/1" ? 1.0 / 3 : items == "1/2" ? 0.5 : 1.0 / 5
    #expect(abs(comparison.difference.value - ((first + 1.0 / 3) / 2 - (1 + 2.0 / 3) / 2)) < 1e-12)
  }

  @Test("Of many unresolved differences the findings have the number and the range of margins")
  func manyUnresolved() throws {
    let folder = try TemporaryFolder()
    let names = (0..<12).map { "b\($0)" }
    let path = try file(
      [("a", "", 0, "test", "accuracy", "11110000")]
        + names.map { ($0, "", 0, "test", "accuracy", $0 == "b3" ? "11110011" : "11010100") },
      in: folder)
    let text = try Report(comparisons(path, reference: "a")).text
    #expect(
      text.contains(
        "test, accuracy: 0 of 12 differences have q ≤ 0.05\n  - unresolved: 12 others, within ± "))
    #expect(text.contains(" (b0) to ± ") || text.contains(" (b3)"))
  }

  @Test("If no arm is above the majority baseline, the findings say so")
  func floor() throws {
    func text(_ best: String) throws -> String {
      let folder = try TemporaryFolder()
      return try Report(
        comparisons(
          file(
            [
              ("a", "", 0, "test", "accuracy", "0000"), ("b", "", 0, "test", "accuracy", best),
              ("a", "", 0, "test", "guessing floor", "1000"),
              ("b", "", 0, "test", "guessing floor", "1000"),
            ], in: folder), reference: "a")
      ).text
    }
    #expect(try text("1000").contains("no point is above the majority baseline"))
    #expect(try !text("1100").contains("no point is above the majority baseline"))
  }

  @Test("Only seeds that both have are compared; equal choices fall to the first")
  func seedsAndTies() throws {
    let folder = try TemporaryFolder()
    let path = try file(
      [
        ("a", "", 0, "validation", "accuracy", "10"), ("a", "", 0, "test", "accuracy", "1000"),
        ("a", "", 1, "test", "accuracy", "1100"), ("a", "", 2, "test", "accuracy", "1100"),
        ("b", "-1", 1, "validation", "accuracy", "10"), ("b", "-1", 1, "test", "accuracy", "1110"),
        ("b", "-1", 2, "test", "accuracy", "1110"), ("b", "-1", 3, "test", "accuracy", "0000"),
        ("b", "0", 1, "validation", "accuracy", "01"), ("b", "0", 1, "test", "accuracy", "0000"),
        ("c", "0", 7, "test", "accuracy", "0000"),
      ], in: folder)
    let found = try comparisons(path, reference: "a")
    #expect(found.results.points.map(\.isChosen) == [true, true, false, true])
    #expect(found.comparisons.map(\.point) == [1, 2] && found.comparisons.map(\.seeds) == [2, 1])
    #expect(found.comparisons[0].difference.value == 0.25)
    #expect(ResultPoints.defaultReference(["b", "stage 1", "std-cot"]) == "std-cot")
    #expect(ResultPoints.defaultReference(["b", "a"]) == "b")
  }

  @Test("In a sweep that the reference shares, points meet the reference at the same settings")
  func matched() throws {
    let folder = try TemporaryFolder()
    let path = try file(
      [
        ("a", "-1", 0, "validation", "accuracy", "11"), ("a", "-1", 0, "test", "accuracy", "1100"),
        ("a", "0", 0, "validation", "accuracy", "10"), ("a", "0", 0, "test", "accuracy", "1000"),
        ("b", "-1", 0, "validation", "accuracy", "00"), ("b", "-1", 0, "test", "accuracy", "1110"),
        ("b", "0", 0, "validation", "accuracy", "10"), ("b", "0", 0, "test", "accuracy", "1110"),
        ("c", "", 0, "validation", "accuracy", "10"), ("c", "", 0, "test", "accuracy", "1111"),
      ], in: folder)
    let found = try comparisons(path, reference: "a")
    #expect(found.results.reference == 0 && found.areMatched)
    // The reference's other point and b's chosen one against its chosen one; b's both against the same β.
    #expect(
      found.comparisons.map { [$0.point, $0.reference] } == [
        [1, 0], [2, 0], [3, 1], [3, 0], [4, 0],
      ])
    #expect(found.comparisons.map(\.difference.value) == [-0.25, 0.25, 0.5, 0.25, 0.5])
    let report = try Report(found)
    #expect(report.text.contains("Differences are to a at the same settings"))
    #expect(report.text.contains("b beta=0 to a beta=0 +50.0"))
    #expect(report.csv.contains(",b,0,yes,a beta=0,") && report.csv.contains(",b,0,yes,a beta=-1,"))
  }

  @Test("Ten tasks are drawn whole; runs on other questions are refused")
  func tasks() throws {
    let folder = try TemporaryFolder()
    let names = (0..<10).map { "accuracy: t\($0)" }
    func rows(_ arm: String, _ items: String) -> [Row] {
      let whole: Row = (arm, "", 0, "test", "accuracy", String(repeating: items, count: 10))
      return [whole] + names.map { (arm, "", 0, "test", $0, items) }
    }
    let path = try file(rows("a", "01") + rows("b", "11"), in: folder)
    let found = try comparisons(path, reference: "a")
    #expect(found.comparisons.map(\.metric) == [.accuracy, .macroAccuracy])
    for comparison in found.comparisons {
      // Whichever tasks are drawn, half of their questions are gained.
      let interval = comparison.difference.interval()
      #expect(comparison.drawing == .wholeTasks && agree(interval.low, 0.5))
      #expect(agree(comparison.difference.value, 0.5) && agree(interval.high, 0.5))
      #expect(comparison.difference.pValue == 1)
    }
    #expect(try Report(found).text.contains("10 tasks are drawn whole"))

    let other = try file(
      [("a", "", 0, "test", "accuracy", "01"), ("b", "", 0, "test", "accuracy", "011")], in: folder)
    let error = #expect(throws: FileError.self) { try comparisons(other, reference: "a") }
    let message =
      "line 3: expected test accuracy over the same questions as in line 2, 2 of them, found 3"
    #expect(error?.description.contains(message) == true)
  }
}
