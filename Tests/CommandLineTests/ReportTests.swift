import Foundation
import TestSupport
import Testing

@Suite struct ReportTests {
  private let csv = fixture("evaluation/experiment.csv").path

  /// A folder in which `results/toy.csv` is the fixture.
  private func workplace() throws -> Workplace {
    let place = try Workplace()
    try FileManager.default.createDirectory(
      atPath: place.path + "/results", withIntermediateDirectories: false)
    try FileManager.default.copyItem(atPath: csv, toPath: place.path + "/results/toy.csv")
    return place
  }

  @Test("A name or a path is reported on, printed and written beside the CSV or elsewhere")
  func report() throws {
    let place = try workplace()
    let call = try shell("\"$keystep\" report toy --resamples 200", in: place.path)
    #expect(call.status == 0 && call.errors.isEmpty, "\(call.errors)")
    #expect(call.output.contains("Differences are to stage 1. Bootstrap: 200 resamples, seed 0."))
    #expect(call.output.contains("results/toy.report.md, results/toy.comparisons.csv"))
    let markdown = try place.text("results/toy.report.md")
    #expect(markdown.hasPrefix("# Report: toy") && markdown.contains("## Findings"))
    let comparisons = try place.text("results/toy.comparisons.csv")
    #expect(comparisons.split(separator: "\n").count == 1 + 72)

    let again = try keystep(
      "report", place.path + "/results/toy.csv", "--resamples", "200", "--output-folder",
      place.path + "/new/folder", "--json")
    #expect(again.status == 0 && again.lines.count == 72)
    #expect(try place.text("new/folder/toy.report.md") == markdown)
    #expect(try place.text("new/folder/toy.comparisons.csv") == comparisons)
    let object = try #require(try again.objects().first)
    #expect(object["arm"] as? String == "KRSL" && object["seeds"] as? Int == 4)
    #expect(object["low_95"] is Double && object["equivalence_margin"] is Double)

    #expect(!FileManager.default.fileExists(atPath: place.path + "/results/toy.html"))
    let page = try shell("\"$keystep\" report toy --resamples 200 --html", in: place.path)
    #expect(page.status == 0 && page.output.contains("comparisons.csv, results/toy.html"))
    let html = try place.text("results/toy.html")
    #expect(html.hasPrefix("<!DOCTYPE html>") && html.contains("<h1>Report: toy</h1>"))

    let other = try keystep(
      "report", place.path + "/results/toy.csv", "--resamples", "200", "--reference", "KRSL")
    #expect(other.status == 0 && other.output.contains("Differences are to KRSL alpha="))
  }

  @Test("An unknown name lists the experiments, a typo in the reference the arms")
  func errors() throws {
    let place = try workplace()
    let unknown = try shell("\"$keystep\" report baseline", in: place.path)
    #expect(unknown.status == 1 && unknown.output.isEmpty)
    let message =
      "results/baseline.csv: expected an experiment's CSV, such as those of toy, found no such file"
    #expect(unknown.errors.contains(message))
    let typo = try shell("\"$keystep\" report toy --reference 'stage1'", in: place.path)
    #expect(typo.status == 2 && typo.errors.contains("stage 1, KRSL, found stage1"))
    let few = try keystep("report", csv, "--resamples", "5")
    #expect(few.status == 2 && few.errors.contains("--resamples"))

    let rejected = try place.file("wrong.csv", "a,b\n1,2\n")
    let call = try keystep("report", rejected)
    #expect(call.status == 1)
    #expect(call.errors.contains("\(rejected): line 1: expected an experiment's CSV"))
    let noise = try place.data("noise.csv", Data([0xff, 0x22, 0x00, 0x0a]))
    #expect(try keystep("report", noise).status == 1)
    #expect(try keystep("report", place.path + "/results/").status == 1)
    #expect(
      !FileManager.default.fileExists(atPath: place.path + "/results/toy.report.md"))
  }
}
