import Foundation
import Reports
import Testing

@Suite struct PlotTests {
  @Test(
    "Ticks are multiples of 1, 2 or 5 times a power of ten, within the axis",
    arguments: [
      (0.0...10.0, 5, [0.0, 2, 4, 6, 8, 10]), (-12.0...3.5, 6, [-12.0, -10, -8, -6, -4, -2, 0, 2]),
      (-0.031...0.0412, 5, (-3...4).map { 0.01 * Double($0) }), (3.0...3.0, 3, [2.0, 3, 4]),
      (0.0...0.0, 2, [-1.0, 0, 1]), (99_999.0...100_001.0, 2, [99_999.0, 100_000, 100_001]),
    ] as [(ClosedRange<Double>, Int, [Double])])
  func ticks(domain: ClosedRange<Double>, count: Int, expected: [Double]) {
    let found = PlotScale(domain, from: 0, to: 100).ticks(count)
    #expect(found.count == expected.count, "\(found)")
    for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 1e-12 * max(1, abs(b)), "\(found)") }
  }

  @Test("Ticks of a logarithmic axis are powers of ten, or 1, 2 and 5 where it has fewer than two")
  func logarithmicTicks() {
    func ticks(_ domain: ClosedRange<Double>, _ count: Int = 5) -> [Double] {
      PlotScale(domain, from: 0, to: 1, isLogarithmic: true).ticks(count)
    }
    #expect(ticks(3e-6...1e-3).map { log10($0).rounded() } == [-5, -4, -3])
    #expect(ticks(0.25...4).map { ($0 * 100).rounded() / 100 } == [0.5, 1, 2])
    #expect(ticks(1...1e12, 4).count == 4)
  }

  @Test(
    "A scale maps the ends of its domain to the ends of its range, also downwards and by factors")
  func places() {
    let down = PlotScale(-1...3, from: 200, to: 0)
    #expect([-1.0, 0, 3, 5].map(down.place) == [200, 150, 0, -100])
    #expect([-9.0, 9].map(down.placeWithin) == [200, 0])
    let factors = PlotScale(0.01...100, from: 0, to: 40, isLogarithmic: true)
    for (value, place) in [(0.01, 0.0), (0.1, 10), (1, 20), (100, 40)] {
      #expect(abs(factors.place(value) - place) < 1e-12)
    }
    // A domain of one value is widened around it.
    #expect(PlotScale(2...2, from: 0, to: 10).place(2) == 5)
    #expect(abs(PlotScale(2...2, from: 0, to: 10, isLogarithmic: true).place(2) - 5) < 1e-12)
  }

  @Test("Axes of the largest numbers have no ticks but do not fail")
  func extremes() {
    for domain in [
      -1.7e308...1.7e308, 1e300...(1e300).nextUp, 0...Double.leastNonzeroMagnitude,
      0...Double.leastNormalMagnitude,
    ] as [ClosedRange<Double>] {
      #expect(PlotScale(domain, from: 0, to: 1).ticks().count <= 12)
    }
    let plot = LinePlot(
      title: "", xLabel: "", yLabel: "",
      series: [.init("", style: 0, [.init(x: 1, y: 1e308), .init(x: 2, y: -1e308)])], spread: .bands
    )
    #expect(plot.drawing.svg(id: "a", title: "", description: "").contains("no values"))
    let forest = ForestPlot([.init(heading: "", rows: [row("a", 1e308, 1e308)])], unit: "nats")
    #expect(forest.domain.contains(0) && forest.drawing.height > 40)
  }

  @Test("Labels have the digits that tell ticks apart, and a minus sign")
  func labels() {
    #expect(
      [0, -0.0, 0.1 + 0.2, -12, 3e-6, 1e7].map(PlotScale.label) == [
        "0", "0", "0.3", "−12", "3e−6", "1e7",
      ])
  }

  private func row(_ label: String, _ value: Double, _ half: Double) -> ForestPlot.Row {
    .init(
      label: label, figures: "x", value: value, low: value - half, high: value + half,
      margin: abs(value) + half, verdict: half < abs(value) ? .better : .unresolved)
  }

  @Test("A forest plot's axis covers zero and every interval with ends; others reach its edges")
  func forest() throws {
    let plot = ForestPlot(
      [.init(heading: "arm", rows: [row("a", 2, 1), row("b", 5, .infinity)])], unit: "points")
    #expect(abs(plot.domain.lowerBound + 0.2) < 1e-12 && abs(plot.domain.upperBound - 5.2) < 1e-12)
    let svg = plot.drawing.svg(id: "f", title: "t", description: "d")
    #expect(svg.contains(">arm</text>") && svg.contains(">points</text>"))
    #expect(svg.contains("interval better") && svg.contains("interval unresolved"))
    // Only the interval with ends has end marks and a margin: three lines and one bar.
    #expect(svg.components(separatedBy: "class=\"interval better\"").count == 4)
    #expect(svg.components(separatedBy: "class=\"interval unresolved\"").count == 2)
    #expect(svg.components(separatedBy: "class=\"margin\"").count == 2)
    // The infinite interval spans the axis, from 10 to 350.
    #expect(svg.contains("interval unresolved\" d=\"M10 "))
    #expect(svg.contains("role=\"img\" aria-labelledby=\"f-t f-d\""))
    #expect(svg.contains("<title id=\"f-t\">t</title><desc id=\"f-d\">d</desc>"))
  }

  @Test("No name breaks out of a drawing")
  func hostile() {
    let name = "</text></svg><script>alert(1)</script>\" onload=\"x\u{202E}"
    let forest = ForestPlot([.init(heading: name, rows: [row(name, 1, 2)])], unit: name)
    var lines = LinePlot(
      title: name, xLabel: name, yLabel: name,
      series: [.init(name, style: 7, [.init(x: 1, y: .nan), .init(x: 2, y: 1, low: 0, high: 2)])],
      spread: .bars)
    lines.isLogarithmic = true
    for drawing in [forest.drawing, lines.drawing] {
      let svg = drawing.svg(id: "a", title: name, description: name)
      #expect(!svg.contains("<script") && !svg.contains("\u{202E}") && !svg.contains("NaN"))
      #expect(svg.components(separatedBy: "</svg>").count == 2)
      #expect(svg.contains("&lt;/text&gt;&lt;/svg&gt;"))
    }
  }

  @Test("Six series in a row have six markers, and lines draw only what is finite")
  func lines() {
    func path(_ style: Int) -> String {
      let plot = LinePlot(
        title: "", xLabel: "", yLabel: "",
        series: [
          .init(
            "", style: style,
            [.init(x: 1, y: 1), .init(x: 2, y: .infinity), .init(x: 3, y: 2, low: 1, high: 3)])
        ], spread: .bars)
      let svg = plot.drawing.svg(id: "a", title: "", description: "")
      #expect(svg.components(separatedBy: "class=\"point ").count == 3)
      #expect(svg.components(separatedBy: "class=\"bar ").count == 2)
      return svg.components(separatedBy: "class=\"point c\(style)\" d=\"")[1].components(
        separatedBy: "\"")[0]
    }
    #expect(Set((0..<6).map(path)).count == 6)
  }
}
