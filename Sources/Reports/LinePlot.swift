import Foundation

/// Lines over a common axis, each with its own colour, dash and marker.
package struct LinePlot: Sendable {
  package struct Point: Sendable {
    package var x: Double
    package var y: Double
    /// The ends of its interval or band; nil for none.
    package var low: Double?
    package var high: Double?

    package init(x: Double, y: Double, low: Double? = nil, high: Double? = nil) {
      (self.x, self.y, self.low, self.high) = (x, y, low, high)
    }
  }

  package struct Series: Sendable {
    package var name: String
    /// Which of the styles it has.
    package var style: Int
    /// By rising x.
    package var points: [Point]

    package init(_ name: String, style: Int, _ points: [Point]) {
      (self.name, self.style, self.points) = (name, style, points)
    }
  }

  /// How intervals are drawn.
  package enum Spread: Sendable { case bars, bands }

  package var title: String
  package var xLabel: String
  package var yLabel: String
  package var series: [Series]
  package var spread: Spread
  package var isLogarithmic = false
  /// The places of the x axis that are labelled; round ones if nil.
  package var xTicks: [Double]?
  /// Whether y = 0 is a line of its own: that of the reference.
  package var hasZeroLine = false

  package init(
    title: String, xLabel: String, yLabel: String, series: [Series], spread: Spread
  ) {
    (self.title, self.xLabel, self.yLabel) = (title, xLabel, yLabel)
    (self.series, self.spread) = (series, spread)
  }

  static let width = 300.0
  static let height = 210.0

  /// What can be drawn; on a logarithmic axis that is positive.
  private var drawn: [Series] {
    series.map { series in
      Series(
        series.name, style: series.style,
        series.points.filter {
          PlotScale.canDraw($0.x) && PlotScale.canDraw($0.y) && (!isLogarithmic || $0.x > 0)
        })
    }
  }

  package var drawing: Drawing {
    var drawing = Drawing(width: Self.width, height: Self.height)
    drawing.text(title, 4, 14, .start, "strong")
    let series = drawn
    let points = series.flatMap(\.points)
    guard let lowX = points.map(\.x).min(), let highX = points.map(\.x).max() else {
      drawing.text("no values", Self.width / 2, Self.height / 2, .middle)
      return drawing
    }
    var ys = points.flatMap { [$0.y, $0.low, $0.high].compactMap { $0 } }
      .filter(PlotScale.canDraw)
    if hasZeroLine { ys.append(0) }
    let (lowY, highY) = (ys.min() ?? 0, ys.max() ?? 1)
    let pad = 0.05 * (highY - lowY)
    let (left, right, top, bottom) = (46.0, Self.width - 12, 26.0, Self.height - 38)
    // Room for bars that stand side by side.
    let inner = 6 + (spread == .bars ? 1.5 * Double(series.count - 1) : 0)
    let x = PlotScale(
      lowX...highX, from: left + inner, to: right - inner, isLogarithmic: isLogarithmic)
    let y = PlotScale((lowY - pad)...(highY + pad), from: bottom, to: top)
    for tick in y.ticks(5) {
      let isZero = hasZeroLine && tick == 0
      drawing.line(left, y.place(tick), right, y.place(tick), isZero ? "zero" : "grid")
      drawing.text(PlotScale.label(tick), left - 5, y.place(tick) + 3.5, .end, "small")
    }
    var free = -Double.infinity
    for tick in xTicks ?? x.ticks(5) where tick >= lowX && tick <= highX {
      let (place, label) = (x.place(tick), PlotScale.label(tick))
      drawing.line(place, bottom, place, bottom + 4, "axis")
      // Labels that would overlap the one before are left out.
      let half = 3 * Double(label.count)
      guard place - half > free else { continue }
      free = place + half + 3
      drawing.text(label, place, bottom + 15, .middle, "small")
    }
    drawing.line(left, bottom, right, bottom, "axis")
    drawing.text(xLabel, (left + right) / 2, Self.height - 6, .middle, "small")
    drawing.text(yLabel, Self.width - 12, 14, .end, "small")
    for (index, series) in series.enumerated() {
      // Bars of several series at one place stand side by side.
      let shift = spread == .bars ? 3 * (Double(index) - Double(self.series.count - 1) / 2) : 0
      draw(series, x, y, shift, in: &drawing)
    }
    return drawing
  }

  private func draw(
    _ series: Series, _ x: PlotScale, _ y: PlotScale, _ shift: Double, in drawing: inout Drawing
  ) {
    let style = "c\(series.style % 6)"
    let places = series.points.map { (x: x.place($0.x) + shift, y: y.place($0.y)) }
    switch spread {
    case .bands:
      let banded = zip(series.points, places).compactMap { point, place in
        point.low.flatMap { low in point.high.map { (x: place.x, low: low, high: $0) } }
      }
      if banded.count > 1 {
        drawing.band(
          banded.map(\.x), banded.map { y.place($0.low) }, banded.map { y.place($0.high) },
          "band \(style)")
      }
    case .bars:
      for (point, place) in zip(series.points, places) {
        guard let low = point.low, let high = point.high else { continue }
        drawing.line(
          place.x, y.placeWithin(low), place.x, y.placeWithin(high), "bar \(style)")
      }
    }
    drawing.path(places, "curve \(style)")
    // Markers on a long curve stand apart.
    let every = spread == .bars ? 1 : max(1, places.count / 6)
    for (index, place) in places.enumerated() where index.isMultiple(of: every) {
      drawing.marker(series.style, place.x, place.y, "point \(style)")
    }
  }

  /// The line and marker of a style, for a legend.
  static func key(_ style: Int) -> String {
    var drawing = Drawing(width: 34, height: 12)
    drawing.line(1, 6, 33, 6, "curve c\(style % 6)")
    drawing.marker(style, 17, 6, "point c\(style % 6)")
    return drawing.decoration
  }
}
