import Foundation

/// Tensors that a reference wrote, read from a safetensors file of F32 tensors under
/// Tests/Fixtures.
///
/// A reader of its own, so that a mistake in the toolkit's reader cannot hide one in the reference.
package struct Goldens {
  package let tensors: [String: [Float]]
  package let shapes: [String: [Int]]

  package init(_ path: String) throws {
    let data = try Data(contentsOf: fixture(path))
    let length = data.prefix(8).enumerated().reduce(0) { $0 + Int($1.element) << (8 * $1.offset) }
    let header =
      try JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: Any] ?? [:]
    var tensors: [String: [Float]] = [:]
    var shapes: [String: [Int]] = [:]
    for (name, entry) in header {
      guard let entry = entry as? [String: Any], let offsets = entry["data_offsets"] as? [Int],
        entry["dtype"] as? String == "F32"
      else { continue }
      let bytes = data[8 + length + offsets[0]..<8 + length + offsets[1]]
      tensors[name] = bytes.withUnsafeBytes { raw in
        (0..<raw.count / 4).map { raw.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
      }
      shapes[name] = entry["shape"] as? [Int]
    }
    self.tensors = tensors
    self.shapes = shapes
  }

  package subscript(name: String) -> [Float] { tensors[name] ?? [] }
}

/// The file at `path` under Tests/Fixtures.
package func fixture(_ path: String) -> URL {
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures").appendingPathComponent(path)
}
