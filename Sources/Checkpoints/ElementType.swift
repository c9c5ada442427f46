/// How the numbers of a tensor are stored. The quantized types pack a row in blocks that share a
/// scale.
///
/// Source: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h (block layouts),
/// https://huggingface.co/docs/safetensors (F32, F16, BF16).
public enum ElementType: String, CaseIterable, Hashable, Sendable {
  case f32 = "F32"
  case f16 = "F16"
  case bf16 = "BF16"
  case q40 = "Q4_0"
  case q41 = "Q4_1"
  case q50 = "Q5_0"
  case q51 = "Q5_1"
  case q80 = "Q8_0"
  case q4K = "Q4_K"
  case q5K = "Q5_K"
  case q6K = "Q6_K"

  /// How many numbers one block holds.
  public var blockSize: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q40, .q41, .q50, .q51, .q80: 32
    case .q4K, .q5K, .q6K: 256
    }
  }

  /// How many bytes one block takes.
  public var blockByteCount: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q40: 18
    case .q41: 20
    case .q50: 22
    case .q51: 24
    case .q80: 34
    case .q4K: 144
    case .q5K: 176
    case .q6K: 210
    }
  }

  /// GGUF's number of the type.
  var ggufCode: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .q40: 2
    case .q41: 3
    case .q50: 6
    case .q51: 7
    case .q80: 8
    case .q4K: 12
    case .q5K: 13
    case .q6K: 14
    case .bf16: 30
    }
  }

  /// The type with GGUF's number `code`; nil when this toolkit does not read it.
  init?(gguf code: UInt32) {
    guard let type = Self.allCases.first(where: { $0.ggufCode == code }) else { return nil }
    self = type
  }

  /// The bytes that a tensor of `shape` takes; nil when a row is no whole number of blocks, a
  /// dimension is negative, or the product does not fit.
  func byteCount(shape: [Int]) -> Int? {
    guard shape.allSatisfy({ $0 >= 0 }), (shape.last ?? 1).isMultiple(of: blockSize) else {
      return nil
    }
    var elements = 1
    for dimension in shape {
      let (product, overflow) = elements.multipliedReportingOverflow(by: dimension)
      if overflow { return nil }
      elements = product
    }
    let (bytes, overflow) = (elements / blockSize).multipliedReportingOverflow(by: blockByteCount)
    return overflow ? nil : bytes
  }

  /// Whether one of `count` stored numbers, a whole number of blocks, is infinite or not a number; in a quantized type,
  /// whether a block's scale or minimum is, since every number is a small whole number times one.
  func hasNonFinite(_ source: UnsafeRawPointer, count: Int) -> Bool {
    switch self {
    case .f32: largestMagnitude(source, count, of: Int32.self) >= 0x7f80_0000
    case .bf16: largestMagnitude(source, count, of: Int16.self) >= 0x7f80
    case .f16: largestMagnitude(source, count, of: Int16.self) >= 0x7c00
    default: hasNonFiniteScale(source, blocks: count / blockSize)
    }
  }

  private func hasNonFiniteScale(_ source: UnsafeRawPointer, blocks: Int) -> Bool {
    let (size, (scale, minimum)) = (blockByteCount, halfOffsets)
    func isNonFinite(_ place: Int) -> Bool {
      source.loadUnaligned(fromByteOffset: place, as: UInt16.self) & 0x7c00 == 0x7c00
    }
    return (0..<blocks).contains { block in
      isNonFinite(block * size + scale) || isNonFinite(block * size + minimum)
    }
  }

  /// Where in a quantized block its scale and its minimum lie, in half precision; the same where there is no minimum.
  private var halfOffsets: (scale: Int, minimum: Int) {
    switch self {
    case .f32, .f16, .bf16, .q40, .q50, .q80: (0, 0)
    case .q41, .q51, .q4K, .q5K: (0, 2)
    case .q6K: (208, 208)
    }
  }
}

/// The largest of `count` numbers without their sign bits: of floating-point numbers those are in the order of their
/// magnitudes, and the infinite ones and those that are none come last.
@inline(__always)
private func largestMagnitude<Bits: FixedWidthInteger & BitwiseCopyable>(
  _ source: UnsafeRawPointer, _ count: Int, of type: Bits.Type
) -> Bits {
  var largest: Bits = 0
  for index in 0..<count {
    let bits = source.loadUnaligned(
      fromByteOffset: index &* MemoryLayout<Bits>.size, as: Bits.self)
    largest = max(largest, bits & .max)
  }
  return largest
}
