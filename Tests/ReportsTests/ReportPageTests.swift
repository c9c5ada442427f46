import Experiments
import Foundation
import Reports
import TestSupport
import Testing

@Suite struct ReportPageTests {
  private let csv = fixture("evaluation/experiment.csv").path

  private func page(
    _ path: String, question: String? = "Does <b>it</b> help?", runs: String = "no runs",
    reference: String? = nil
  ) throws -> String {
    try ReportPage(
      Report(path: path, reference: reference, resamples: 200), question: question, runs: runs
    ).html
  }

  /// What stands between `start` and the next `end`, each time.
  private func parts(_ html: String, from start: String, to end: String) -> [String] {
    html.components(separatedBy: start).dropFirst().map { $0.components(separatedBy: end)[0] }
  }

  @Test("The page has the question, the answer in a sentence, and its parts in their order")
  func structure() throws {
    let html = try page(csv)
    #expect(html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
    #expect(html.contains("<h1>Does &lt;b&gt;it&lt;/b&gt; help?</h1>"))
    // No steps and no responses are there.
    #expect(
      parts(html, from: "<section id=\"", to: "\"")
        == ["answer", "differences", "settings", "tasks", "provenance"])
    #expect(
      parts(html, from: "<li><a href=\"#", to: "\"")
        == ["answer", "differences", "settings", "tasks", "provenance"])
    let report = try Report(path: csv, resamples: 200)
    let found = try Comparisons(
      ResultFile(path: csv), reference: "stage 1", resamples: 200, seed: 0)
    let chosen = try #require(
      found.comparisons.first {
        $0.split == "in domain" && $0.metric == .accuracy
          && found.results.points[$0.point].isChosen
      })
    let answer = try #require(parts(html, from: "<p class=\"answer\">", to: "</p>").first)
    func said(_ x: Double) -> String {
      String(format: "%+.1f", 100 * x).replacing("-", with: "−")
    }
    let interval = chosen.difference.interval()
    #expect(answer.hasPrefix("\(found.results.points[chosen.point].label) − stage 1: "))
    #expect(
      answer.contains(
        "\(said(chosen.difference.value)) points of accuracy, in domain "
          + "(95 % \(said(interval.low)) … \(said(interval.high)); "), "\(answer)")
    #expect(answer.contains(" over 9 comparisons): <strong>"))
    // Verdicts are those of q.
    for comparison in found.comparisons {
      #expect((comparison.verdict == .unresolved) == (comparison.q > 0.05))
    }
    let groups = found.groups
    #expect(groups.count == 8 && groups.allSatisfy { $0.comparisons.count == 9 })
    for group in groups where group.metric == .accuracy {
      let count = group.findings.count
      #expect(html.contains("\(group.split): \(count) of 9 resolved"))
    }
    #expect(report.markdown.contains("in domain, accuracy: "))
  }

  @Test("Every picture has a name and a description, every table a heading for each column")
  func accessibility() throws {
    let html = try page(csv)
    let pictures = parts(html, from: "<svg viewBox", to: "</svg>")
    #expect(pictures.count > 10)
    for picture in pictures {
      #expect(picture.contains("role=\"img\"") && picture.contains("<title id="))
      #expect(picture.contains("<desc id="))
    }
    let ids = parts(html, from: " id=\"", to: "\"")
    #expect(Set(ids).count == ids.count)
    for label in parts(html, from: "aria-labelledby=\"", to: "\"") {
      for id in label.split(separator: " ") { #expect(ids.contains(String(id)), "\(id)") }
    }
    for table in parts(html, from: "<table>", to: "</table>") {
      let header = parts(table, from: "<thead>", to: "</thead>").first ?? ""
      #expect(header.contains("scope=\"col\""))
      let widths = parts(table, from: "<tr>", to: "</tr>").map { row in
        row.components(separatedBy: "<t").count - 1
      }
      #expect(Set(widths).count == 1, "\(widths)")
    }
    for tag in [
      "section", "figure", "div", "details", "summary", "table", "svg", "ul", "p", "h2", "h3", "h4",
      "article", "dl", "li",
    ] {
      let opened =
        html.components(separatedBy: "<\(tag) ").count
        + html.components(separatedBy: "<\(tag)>").count - 2
      #expect(opened == html.components(separatedBy: "</\(tag)>").count - 1, "\(tag)")
    }
  }

  /// Two arms on two questions, with names that try to become markup; the runs' responses in `runs`.
  private func hostile(in folder: TemporaryFolder) throws -> (csv: String, runs: String) {
    let arm = "<script>alert(1)</script>"
    let rows = [("r", "stage 1", "10"), ("s", arm, "01")].flatMap { id, arm, items in
      (0..<2).map { seed in
        "e,\(id)00000000000000\(seed),\"\(arm)\",\(seed),\"<i>test\",accuracy,\"</table>\","
          + "fraction,0.5,,,2,\(items),1,<c>\n"
          + "e,\(id)00000000000000\(seed),\"\(arm)\",\(seed),\"<i>test\",accuracy,,"
          + "fraction,0.5,,,2,\(items),1,<c>\n"
      }
    }
    let header =
      "experiment,run,arm,seed,split,metric,group,unit,value,low_95,high_95,count,items,run_seconds,commit\n"
    // Ids are hexadecimal.
    let text = (header + rows.joined()).replacing(",r0", with: ",a0").replacing(",s0", with: ",b0")
    try folder.write(text, to: "e.csv")
    try folder.write(
      "experiment,arm,stage,step,seeds,epoch,loss\n"
        + "e,stage 1,stage 1,1,2,1,2.5\ne,stage 1,stage 1,2,2,1,2.0\n"
        + "e,\(arm),<b>2,1,2,1,1.5\ne,\(arm),<b>2,2,2,1,1.25\n", to: "e.steps.csv")
    for (id, response) in [("a", "1 + 1 = 2 ; ans 2"), ("b", "1 + 1 = 3 ; <img src=x>")] {
      let place = folder.path + "/runs/e/responses/\(id)000000000000000"
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      try """
      {"id":"q<1>","task":"t","prompt":"<b>1 + 1 ?","answer":"2","response":"\(response)",\
      "is_correct":\(id == "a")}

      """.write(toFile: place + "/<i>test.jsonl", atomically: true, encoding: .utf8)
    }
    for (id, losses) in [("a", [2.0, 1.5]), ("b", [3.0, 2.5])] {
      let place = folder.path + "/runs/e/steps"
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      // Both seeds of the first arm.
      if id == "a" {
        for (seed, shift) in [(0, 0.0), (1, 1.0)] {
          try
            "stage,step,epoch,loss\nstage 1,1,1,\(losses[0] + shift)\nstage 1,2,1,\(losses[1] + shift)\n"
            .write(
              toFile: "\(place)/a00000000000000\(seed).csv", atomically: true, encoding: .utf8)
        }
      }
    }
    return (folder.path + "/e.csv", folder.path + "/runs")
  }

  @Test("What data says is text on the page, never markup, and nothing comes from elsewhere")
  func escaping() throws {
    let folder = try TemporaryFolder()
    let (csv, runs) = try hostile(in: folder)
    let html = try page(csv, runs: runs)
    #expect(parts(html, from: "<script>", to: "</script>").count == 1)
    #expect(!html.contains("<img") && !html.contains("<b>") && !html.contains("<c>"))
    #expect(!html.contains("<i>"))
    for reference in ["http:", "https:", "src=", "url(", "@import", "<link"] {
      #expect(!html.replacing("src=x", with: "").contains(reference), "\(reference)")
    }
    #expect(html.contains("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-"))
    #expect(
      html.components(separatedBy: "</table>").count
        == html.components(separatedBy: "<table>").count)
  }

  @Test("Chains of two arms stand side by side, the words that differ as marks")
  func chains() throws {
    let folder = try TemporaryFolder()
    let (csv, runs) = try hostile(in: folder)
    let html = try page(csv, runs: runs)
    let chains = parts(html, from: "<p class=\"chain ", to: "</p>")
    #expect(chains.count == 2)
    #expect(
      chains[0]
        == "first\" dir=\"auto\">1 + 1 = <mark>2</mark> ; <mark>ans</mark> <mark>2</mark>")
    #expect(
      chains[1].hasPrefix(
        "second\" dir=\"auto\">1 + 1 = <mark>3</mark> ; <mark>&lt;img</mark> <mark>"))
    #expect(
      html.contains(
        """
        Of 1 questions 1 have different responses; only the second arm is right on 0, only the \
        first on 1 (seed 0).
        """))
    #expect(html.contains("✓ right answer") && html.contains("✗ wrong answer"))
    #expect(html.contains("<option value=\"pair-0\" selected>"))
    // Without the runs' files there is no such part.
    #expect(try !page(csv).contains("id=\"chains\""))
  }

  @Test("Learning curves have a band where the curves of all seeds are there")
  func learning() throws {
    let folder = try TemporaryFolder()
    let (csv, runs) = try hostile(in: folder)
    func bands(_ html: String) -> Int { html.components(separatedBy: "class=\"band ").count - 1 }
    let html = try page(csv, runs: runs)
    #expect(html.contains("<section id=\"learning\"") && bands(html) == 1)
    #expect(html.contains("bands from the lowest seed to the highest"))
    #expect(try bands(page(csv)) == 0)
    #expect(html.contains("<th scope=\"row\">stage 1</th><td>stage 1</td><td class=\"n\">1</td>"))
    try folder.write("arm,stage\n", to: "e.steps.csv")
    #expect(throws: (any Error).self) { try page(csv) }
  }

  @Test("The question is the first line under the title of the experiment's README")
  func question() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.path + "/dose", withIntermediateDirectories: true)
    try folder.write("# dose\n\nHow much?\n\nMore.\n", to: "dose/README.md")
    #expect(ReportPage.question(of: "dose", in: folder.path) == "How much?")
    #expect(ReportPage.question(of: "other", in: folder.path) == nil)
    #expect(ReportPage.question(of: "../dose", in: folder.path) == nil)
  }
}
