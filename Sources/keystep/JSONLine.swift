import Files
import Foundation

/// Prints `value` as one line of JSON at once: keys in snake case and in alphabetical order. A number that is not finite
/// is the string `nan`, `inf` or `-inf`.
func printJSONLine(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  try StandardStreams.print(encoder.encode(value) + Data("\n".utf8))
}
