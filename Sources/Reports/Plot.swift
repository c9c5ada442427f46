import Foundation

/// How the values of one axis map to places in a drawing.
package struct PlotScale: Sendable {
  package let domain: ClosedRange<Double>
  /// The places of the domain's ends; the first one is the greater on a vertical axis.
  package let start: Double
  package let end: Double
  package let isLogarithmic: Bool

  /// A domain without width is widened around its value. Precondition: the ends are finite, and positive on a
  /// logarithmic axis.
  package init(
    _ domain: ClosedRange<Double>, from start: Double, to end: Double, isLogarithmic: Bool = false
  ) {
    precondition(
      domain.lowerBound.isFinite && domain.upperBound.isFinite
        && (!isLogarithmic || domain.lowerBound > 0), "no axis from \(domain)")
    let value = domain.lowerBound
    if value < domain.upperBound {
      self.domain = domain
    } else if isLogarithmic {
      self.domain = (value / 2)...(value * 2)
    } else {
      let half = value == 0 ? 1 : abs(value) / 2
      self.domain = (value - half)...(value + half)
    }
    (self.start, self.end, self.isLogarithmic) = (start, end, isLogarithmic)
  }

  /// Whether `value` can be drawn: a difference of greater ones might not be finite.
  package static func canDraw(_ value: Double) -> Bool { abs(value) < 1e100 }

  /// The place of `value`, also of one beyond the domain.
  package func place(_ value: Double) -> Double {
    func along(_ x: Double) -> Double { isLogarithmic ? log(x) : x }
    let (low, high) = (along(domain.lowerBound), along(domain.upperBound))
    return start + (along(value) - low) / (high - low) * (end - start)
  }

  /// The place of the value of the domain that is nearest to `value`.
  package func placeWithin(_ value: Double) -> Double {
    place(min(max(value, domain.lowerBound), domain.upperBound))
  }

  /// At most about `count` round values within the domain: multiples of 1, 2 or 5 times a power of ten; on a logarithmic
  /// axis powers of ten, or these values where there are fewer than two powers.
  ///
  /// Source of the steps: Heckbert, "Nice numbers for graph labels", Graphics Gems, 1990.
  package func ticks(_ count: Int = 5) -> [Double] {
    let (low, high) = (domain.lowerBound, domain.upperBound)
    if isLogarithmic {
      let powers = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
      let within: ClosedRange<Double> = (low * (1 - 1e-9))...(high * (1 + 1e-9))
      let tens: [Double] = powers.map { pow(10, Double($0)) }
      let decades = tens.filter(within.contains)
      if decades.count < 2 {
        return tens.flatMap { ten -> [Double] in [ten, 2 * ten, 5 * ten] }.filter(within.contains)
      }
      let every = max(1, Int((Double(decades.count) / Double(max(1, count))).rounded(.up)))
      return decades.enumerated().filter { $0.offset.isMultiple(of: every) }.map(\.element)
    }
    let step = Self.step(high - low, count)
    guard step.isFinite, step > 0, max(abs(low), abs(high)) / step < 1e9 else { return [] }
    // An integer times the step has no error that grows with the number of steps.
    let first = Int((low / step - 1e-9).rounded(.up))
    let last = Int((high / step + 1e-9).rounded(.down))
    return first > last ? [] : (first...last).map { Double($0) * step }
  }

  /// 1, 2 or 5 times a power of ten, of which about `count` fit into `width`.
  private static func step(_ width: Double, _ count: Int) -> Double {
    let rough = width / Double(max(1, count))
    let power = pow(10, log10(rough).rounded(.down))
    let fraction = rough / power
    return power * (fraction < 1.5 ? 1 : fraction < 3.5 ? 2 : fraction < 7.5 ? 5 : 10)
  }

  /// A tick's value with as many digits as tell it from its neighbours.
  package static func label(_ value: Double) -> String {
    let text = String(format: "%.6g", value == 0 ? 0 : value)
    return text.replacing("e-0", with: "e-").replacing("e+0", with: "e").replacing("-", with: "−")
  }
}

/// An SVG drawing with its name and description for those who do not see it.
package struct Drawing: Sendable {
  package let width: Double
  package let height: Double
  private var elements: [String] = []

  package init(width: Double, height: Double) { (self.width, self.height) = (width, height) }

  package enum Anchor: String, Sendable { case start, middle, end }

  /// `style` are names of classes.
  package mutating func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String
  ) {
    elements.append(
      "<path class=\"\(style)\" d=\"M\(Self.n(x1)) \(Self.n(y1))L\(Self.n(x2)) \(Self.n(y2))\"/>")
  }

  package mutating func path(_ points: [(x: Double, y: Double)], _ style: String) {
    elements.append("<path class=\"\(style)\" d=\"\(Self.d(points))\"/>")
  }

  /// The area between two lines over the same places.
  package mutating func band(_ x: [Double], _ low: [Double], _ high: [Double], _ style: String) {
    let outline =
      zip(x, high).map { (x: $0, y: $1) } + zip(x, low).reversed().map { (x: $0, y: $1) }
    elements.append("<path class=\"\(style)\" d=\"\(Self.d(outline))Z\"/>")
  }

  package mutating func rectangle(
    _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String
  ) {
    elements.append(
      "<rect class=\"\(style)\" x=\"\(Self.n(x))\" y=\"\(Self.n(y))\" width=\"\(Self.n(max(0, width)))\" "
        + "height=\"\(Self.n(max(0, height)))\"/>")
  }

  package mutating func text(
    _ text: String, _ x: Double, _ y: Double, _ anchor: Anchor = .start, _ style: String = ""
  ) {
    let anchor = anchor == .start ? "" : " text-anchor=\"\(anchor.rawValue)\""
    let style = style.isEmpty ? "" : " class=\"\(style)\""
    elements.append(
      "<text\(style) x=\"\(Self.n(x))\" y=\"\(Self.n(y))\"\(anchor)>\(HTMLText.escaped(text))</text>"
    )
  }

  /// A shape of its own for each number, so that series differ in more than colour.
  package mutating func marker(_ number: Int, _ x: Double, _ y: Double, _ style: String) {
    elements.append("<path class=\"\(style)\" d=\"\(Self.shape(number, x, y))\"/>")
  }

  private static func shape(_ number: Int, _ x: Double, _ y: Double) -> String {
    func polygon(_ points: [(Double, Double)]) -> String {
      d(points.map { (x: x + $0.0, y: y + $0.1) }) + "Z"
    }
    switch number % 6 {
    case 0:
      let (left, r) = (n(x - 3.5), "3.5")
      return "M\(left) \(n(y))a\(r) \(r) 0 1 0 7 0a\(r) \(r) 0 1 0 -7 0Z"
    case 1: return polygon([(-3.2, -3.2), (3.2, -3.2), (3.2, 3.2), (-3.2, 3.2)])
    case 2: return polygon([(0, -4.4), (4, 3), (-4, 3)])
    case 3: return polygon([(0, 4.4), (4, -3), (-4, -3)])
    case 4: return polygon([(0, -4.6), (4.6, 0), (0, 4.6), (-4.6, 0)])
    default:
      return polygon([
        (-1.3, -4), (1.3, -4), (1.3, -1.3), (4, -1.3), (4, 1.3), (1.3, 1.3), (1.3, 4), (-1.3, 4),
        (-1.3, 1.3), (-4, 1.3), (-4, -1.3), (-1.3, -1.3),
      ])
    }
  }

  /// The drawing as an element that a reader of the screen tells as one picture. `id` is unique on its page.
  package func svg(id: String, title: String, description: String) -> String {
    """
    <svg viewBox="0 0 \(Self.n(width)) \(Self.n(height))" role="img" aria-labelledby="\(id)-t \(id)-d">\
    <title id="\(id)-t">\(HTMLText.escaped(title))</title>\
    <desc id="\(id)-d">\(HTMLText.escaped(description))</desc>
    \(elements.joined(separator: "\n"))
    </svg>
    """
  }

  /// A drawing that only repeats what a text beside it says.
  package var decoration: String {
    "<svg class=\"key\" viewBox=\"0 0 \(Self.n(width)) \(Self.n(height))\" width=\"\(Self.n(width))\" "
      + "height=\"\(Self.n(height))\" aria-hidden=\"true\">\(elements.joined())</svg>"
  }

  private static func d(_ points: [(x: Double, y: Double)]) -> String {
    points.enumerated().map { "\($0 == 0 ? "M" : "L")\(n($1.x)) \(n($1.y))" }.joined()
  }

  /// A length with one decimal.
  private static func n(_ value: Double) -> String {
    let rounded = value.isNaN ? 0 : (min(max(value, -1e5), 1e5) * 10).rounded() / 10
    return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
  }
}
