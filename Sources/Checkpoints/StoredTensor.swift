import Files

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A tensor that a checkpoint holds.
public struct TensorDescription: Hashable, Sendable {
  /// The name in Hugging Face's form, such as `model.layers.0.self_attn.q_proj.weight`.
  public let name: String
  /// Row-major; a projection is `[out, in]`.
  public let shape: [Int]
  public let elementType: ElementType
  /// The bytes that the stored form takes.
  public let byteCount: Int
  /// The path of the file that holds it.
  public let file: String

  /// How many numbers the tensor holds.
  public var elementCount: Int { shape.reduce(1, *) }

  func renamed(_ name: String) -> TensorDescription {
    TensorDescription(
      name: name, shape: shape, elementType: elementType, byteCount: byteCount, file: file)
  }
}

/// A tensor and where its bytes lie.
package struct StoredTensor: Sendable {
  package internal(set) var description: TensorDescription
  let file: MappedFile
  /// Bytes from the file's start.
  package let offset: Int
  /// The heads whose rows llama.cpp interleaved for its rotary embedding; nil when the rows are in
  /// Hugging Face's order.
  var interleavedHeads: Int? = nil
  /// Is added to each number.
  var shift: Float = 0

  /// Whether `other` has the same shape and numbers. Of equally stored tensors the bytes are
  /// compared first.
  func hasSameValues(as other: StoredTensor) -> Bool {
    guard description.shape == other.description.shape else { return false }
    if description.elementType == other.description.elementType, description.byteCount > 0,
      let bytes = file.bytes.baseAddress, let others = other.file.bytes.baseAddress,
      memcmp(bytes + offset, others + other.offset, description.byteCount) == 0
    {
      return true
    }
    return values == other.values
  }

  /// The numbers, dequantized, row-major.
  package var values: [Float] {
    let elementCount = description.elementCount
    return [Float](unsafeUninitializedCapacity: elementCount) { values, count in
      read(into: UnsafeMutableBufferPointer(rebasing: values[..<elementCount]))
      count = elementCount
    }
  }

  /// Dequantizes into `values`, row-major, which holds exactly as many numbers as the tensor.
  func read(into values: UnsafeMutableBufferPointer<Float>) {
    let count = description.elementCount
    precondition(
      values.count == count,
      "\(description.name) holds \(count) numbers, the buffer \(values.count)")
    guard let target = values.baseAddress, let rows = description.shape.first else { return }
    readRows(0..<rows, into: target)
  }

  /// Dequantizes the given rows of a matrix, or numbers of a vector, into `target`, row-major. Precondition: they lie inside.
  package func readRows(_ rows: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    let rowCount = description.shape[0]
    let width = description.elementCount / max(rowCount, 1)
    precondition(
      0 <= rows.lowerBound && rows.upperBound <= rowCount,
      "rows \(rows) of \(description.name), which has \(rowCount)")
    guard let bytes = file.bytes.baseAddress, !rows.isEmpty else { return }
    defer {
      if shift != 0 { for index in 0..<rows.count * width { target[index] += shift } }
    }
    let type = description.elementType
    let rowBytes = description.byteCount / rowCount
    guard let heads = interleavedHeads else {
      type.dequantize(
        bytes + offset + rows.lowerBound * rowBytes, count: rows.count * width, into: target)
      return
    }
    // llama.cpp's converter turned each head's rows from (2, half) into (half, 2); here they go
    // back. Source: `LlamaModel.permute` in llama.cpp's convert_hf_to_gguf.py.
    let half = rowCount / heads / 2
    for (index, row) in rows.enumerated() {
      let (head, part, pair) = (row / (2 * half), row / half % 2, row % half)
      let stored = (head * half + pair) * 2 + part
      type.dequantize(
        bytes + offset + stored * rowBytes, count: width, into: target + index * width)
    }
  }

  /// Throws a `FileError` that names the tensor where a number in it is not finite. A model with such numbers answers
  /// nothing, and its losses are no numbers.
  package func checkFinite() throws(FileError) {
    guard let bytes = file.bytes.baseAddress,
      description.elementType.hasNonFinite(bytes + offset, count: description.elementCount)
    else { return }
    let bad = values.enumerated().first { !$0.element.isFinite }
    throw FileError(
      file: description.file, location: "tensor \(description.name)", expected: "finite numbers",
      found: "\(bad?.element ?? .nan) at \(bad?.offset ?? 0)")
  }

  /// The stored bfloat16 numbers, where they are in this type, in row-major order and aligned.
  package var bfloat16: UnsafePointer<UInt16>? {
    guard description.elementType == .bf16, interleavedHeads == nil, shift == 0,
      let start = file.bytes.baseAddress.map({ $0 + offset }),
      UInt(bitPattern: start).isMultiple(of: 2)
    else { return nil }
    return start.assumingMemoryBound(to: UInt16.self)
  }
}
