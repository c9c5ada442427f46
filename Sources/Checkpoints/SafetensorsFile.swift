import Files

/// A `.safetensors` file: an eight-byte header length, a JSON header, then the tensors' bytes
/// without gaps.
///
/// Source: https://huggingface.co/docs/safetensors (format), whose checks this reader makes too:
/// offsets in order, without holes or overlaps, up to the file's very end.
package struct SafetensorsFile: Sendable {
  package let tensors: [StoredTensor]
  /// The texts of the header's `__metadata__`.
  package let metadata: [String: String]

  package var tensorsByName: [String: StoredTensor] {
    Dictionary(tensors.map { ($0.description.name, $0) }, uniquingKeysWith: { $1 })
  }

  /// The longest header that the reference reader takes.
  private static let longestHeader = 100_000_000

  package init(path: String) throws {
    let file = try MappedFile(path: path)
    let size = file.bytes.count
    func failure(_ place: String, _ expected: String, _ found: String) -> FileError {
      FileError(file: path, location: place, expected: expected, found: found)
    }
    guard size >= 8 else { throw failure("header", "at least 8 bytes", "\(size) bytes") }
    let headerLength = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard headerLength <= min(SafetensorsFile.longestHeader, size - 8) else {
      throw failure(
        "header length", "at most the \(size - 8) bytes left and \(SafetensorsFile.longestHeader)",
        "\(headerLength)")
    }
    let start = 8 + Int(headerLength)
    let header = JSONNode(
      try JSONValue(file.bytes[8..<start], file: path, location: "header"), file: path,
      path: "header")

    var tensors: [StoredTensor] = []
    var names: Set<String> = []
    for (name, entry) in try header.members() where name != "__metadata__" {
      guard names.insert(name).inserted else {
        throw failure("tensor \(name)", "one tensor of this name", "two")
      }
      guard let type = ElementType(rawValue: try entry.string("dtype")), type.blockSize == 1 else {
        throw failure("tensor \(name)", "type F32, F16 or BF16", try entry.string("dtype"))
      }
      let shape = try entry.integers("shape")
      let offsets = try entry.integers("data_offsets")
      guard let byteCount = type.byteCount(shape: shape) else {
        throw failure("tensor \(name)", "a shape whose product fits in 64 bits", "\(shape)")
      }
      guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1],
        offsets[1] <= size - start
      else {
        throw failure(
          "tensor \(name)", "two rising data offsets up to \(size - start)", "\(offsets)")
      }
      guard offsets[1] - offsets[0] == byteCount else {
        throw failure(
          "tensor \(name)", "\(byteCount) bytes for \(type.rawValue) \(shape)",
          "\(offsets[1] - offsets[0])")
      }
      tensors.append(
        StoredTensor(
          description: TensorDescription(
            name: name, shape: shape, elementType: type, byteCount: byteCount, file: path),
          file: file, offset: start + offsets[0]))
    }
    // Empty tensors come before the one that starts where they do.
    tensors.sort { ($0.offset, $0.description.byteCount) < ($1.offset, $1.description.byteCount) }
    var end = start
    for tensor in tensors {
      guard tensor.offset == end else {
        throw failure(
          "tensor \(tensor.description.name)",
          "data offset \(end - start), where the one before ends",
          "\(tensor.offset - start)")
      }
      end += tensor.description.byteCount
    }
    guard end == size else {
      throw failure("end of data", "the file's end, \(size - start)", "\(end - start)")
    }
    self.tensors = tensors
    var metadata: [String: String] = [:]
    for (key, value) in try header.object("__metadata__")?.members() ?? [] {
      metadata[key] = try value.string()
    }
    self.metadata = metadata
  }
}
