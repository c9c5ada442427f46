/// ‖found - expected‖ / ‖expected‖ in the Euclidean norm; infinite where the sizes differ, where a
/// value is not a number, or where the reference is zero and so holds nothing to compare with.
package func relativeError<A: Collection, B: Collection>(_ found: A, _ expected: B) -> Double
where A.Element == Float, B.Element == Float {
  guard found.count == expected.count else { return .infinity }
  var difference = 0.0
  var norm = 0.0
  for (a, b) in zip(found, expected) {
    difference += (Double(a) - Double(b)) * (Double(a) - Double(b))
    norm += Double(b) * Double(b)
  }
  guard norm > 0, difference.isFinite else { return .infinity }
  return (difference / norm).squareRoot()
}
