/// The derivative of `function` at 0 by the central difference of fourth order,
/// (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12h, whose error is h⁴/30 of the fifth derivative.
package func derivativeAtZero(step h: Double, _ function: (Double) throws -> Double) rethrows
  -> Double
{
  let near = try function(h) - function(-h)
  let far = try function(2 * h) - function(-2 * h)
  return (8 * near - far) / (12 * h)
}
