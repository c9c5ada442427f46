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
  let offset: Int
  /// The heads whose rows llama.cpp interleaved for its rotary embedding; nil when the rows are in
  /// Hugging Face's order.
  var interleavedHeads: Int? = nil

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
    guard let target = values.baseAddress, let bytes = file.bytes.baseAddress else { return }
    let type = description.elementType
    guard let heads = interleavedHeads else {
      type.dequantize(bytes + offset, count: count, into: target)
      return
    }
    // llama.cpp's converter turned each head's rows from (2, half) into (half, 2); here they go
    // back. Source: `LlamaModel.permute` in llama.cpp's convert_hf_to_gguf.py.
    let rows = description.shape[0]
    let width = count / rows
    let rowBytes = description.byteCount / rows
    let half = rows / heads / 2
    for head in 0..<heads {
      for pair in 0..<half {
        for part in 0..<2 {
          let stored = (head * half + pair) * 2 + part
          let row = (head * 2 + part) * half + pair
          type.dequantize(
            bytes + offset + stored * rowBytes, count: width, into: target + row * width)
        }
      }
    }
  }
}
