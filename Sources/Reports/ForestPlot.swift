import Foundation

/// Differences with their intervals, one row each: the label, the figures, and below them the interval on a common axis
/// with the margin of equivalence.
package struct ForestPlot: Sendable {
  package enum Verdict: String, Sendable { case better, worse, unresolved }

  package struct Row: Sendable {
    package var label: String
    /// What stands below the label, such as what the difference is to; empty for nothing.
    package var note: String
    /// What the right side says: the difference and its interval.
    package var figures: String
    package var value: Double
    package var low: Double
    package var high: Double
    /// The margin of equivalence; not finite where there is none.
    package var margin: Double
    package var verdict: Verdict

    package init(
      label: String, note: String = "", figures: String, value: Double, low: Double, high: Double,
      margin: Double,
      verdict: Verdict
    ) {
      (self.label, self.note, self.figures, self.value) = (label, note, figures, value)
      (self.low, self.high, self.margin, self.verdict) = (low, high, margin, verdict)
    }
  }

  package struct Group: Sendable {
    /// Empty for rows without a heading.
    package var heading: String
    package var rows: [Row]

    package init(heading: String, rows: [Row]) { (self.heading, self.rows) = (heading, rows) }
  }

  package var groups: [Group]
  /// What the axis measures, such as `points`.
  package var unit: String

  package init(_ groups: [Group], unit: String) { (self.groups, self.unit) = (groups, unit) }

  static let width = 360.0

  /// The axis: zero and every interval that has ends.
  package var domain: ClosedRange<Double> {
    let ends = groups.flatMap(\.rows).flatMap { [$0.value, $0.low, $0.high] }
    let values = ends.filter(PlotScale.canDraw) + [0]
    let (low, high) = (values.min() ?? 0, values.max() ?? 0)
    let pad = 0.04 * (high - low)
    return (low - pad)...(high + pad)
  }

  package var drawing: Drawing {
    let (left, right) = (10.0, Self.width - 10)
    let heights = groups.map { group in
      (group.heading.isEmpty ? 0 : 22) + group.rows.map(height).reduce(0, +)
    }
    let body = heights.reduce(0, +)
    let (top, foot) = (4.0, 34.0)
    var drawing = Drawing(width: Self.width, height: top + body + foot)
    let scale = PlotScale(domain, from: left, to: right)
    let ticks = scale.ticks(6)
    for tick in ticks {
      drawing.line(
        scale.place(tick), top, scale.place(tick), top + body, tick == 0 ? "zero" : "grid")
      drawing.text(
        PlotScale.label(tick), scale.place(tick), top + body + 14, .middle, "small")
    }
    drawing.line(left, top + body, right, top + body, "axis")
    drawing.text(unit, (left + right) / 2, top + body + 29, .middle, "small")
    var y = top
    for group in groups {
      if !group.heading.isEmpty {
        drawing.text(group.heading, 0, y + 16, .start, "strong")
        y += 22
      }
      for row in group.rows {
        draw(row, at: y, scale, in: &drawing)
        y += height(row)
      }
    }
    return drawing
  }

  /// Whether label and figures need a line each: a character is about 6 units wide.
  private func isTall(_ row: Row) -> Bool {
    !row.note.isEmpty || row.label.count + row.figures.count > 54
  }
  private func height(_ row: Row) -> Double { isTall(row) ? 48 : 34 }

  private static func short(_ text: String, _ length: Int) -> String {
    text.count > length ? text.prefix(length - 1) + "…" : text
  }

  private func draw(_ row: Row, at y: Double, _ scale: PlotScale, in drawing: inout Drawing) {
    drawing.text(Self.short(row.label, 58), 0, y + 13)
    if !row.note.isEmpty {
      drawing.text(Self.short(row.note, 40), 0, y + 27, .start, "small")
    }
    // A grid line through a minus sign would make another sign of it.
    let width = 6.4 * Double(row.figures.count)
    drawing.rectangle(Self.width - width, y + (isTall(row) ? 17 : 3), width, 13, "back")
    drawing.text(row.figures, Self.width, y + (isTall(row) ? 27 : 13), .end, "figures")
    let middle = y + height(row) - 12
    if row.margin.isFinite {
      let (from, to) = (scale.placeWithin(-row.margin), scale.placeWithin(row.margin))
      drawing.rectangle(from, middle - 4.5, to - from, 9, "margin")
    }
    let (low, high) = (scale.placeWithin(row.low), scale.placeWithin(row.high))
    drawing.line(low, middle, high, middle, "interval \(row.verdict.rawValue)")
    for end in [(row.low, low), (row.high, high)] where end.0.isFinite {
      drawing.line(end.1, middle - 3.5, end.1, middle + 3.5, "interval \(row.verdict.rawValue)")
    }
    let shape =
      switch row.verdict {
      case .better: 2
      case .worse: 3
      case .unresolved: 0
      }
    drawing.marker(shape, scale.placeWithin(row.value), middle, "point \(row.verdict.rawValue)")
  }
}
