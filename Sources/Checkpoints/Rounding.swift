import Files

// x: the numbers of one block, d: its scale, q: the small whole number stored for one of them.

extension ElementType {
  /// The types that models are written in.
  public static let written: [ElementType] = [.f32, .f16, .bf16, .q80]

  /// Rounds `values`, whole blocks of them, into `target`, which has `blockByteCount` bytes for each block.
  ///
  /// F16 and BF16 are rounded to nearest, ties to even; what is too large becomes infinite. In a block of Q8_0,
  /// d = max |x| / 127 in half precision and q = round(x · 1/d) with ties away from zero, d before its rounding. The
  /// bytes are those of llama.cpp.
  ///
  /// Source: `quantize_row_q8_0_ref` in https://github.com/ggml-org/llama.cpp/blob/master/ggml/src/ggml-quants.c
  ///
  /// Precondition: this is one of `written`.
  package func round(_ values: UnsafeBufferPointer<Float>, into target: UnsafeMutableRawPointer) {
    precondition(
      values.count.isMultiple(of: blockSize),
      "\(values.count) numbers are no whole number of \(rawValue) blocks")
    switch self {
    case .f32:
      guard let source = values.baseAddress else { return }
      target.copyMemory(from: source, byteCount: 4 * values.count)
    case .f16:
      for (index, value) in values.enumerated() {
        target.storeBytes(of: halfBits(value), toByteOffset: 2 * index, as: UInt16.self)
      }
    case .bf16:
      for (index, value) in values.enumerated() {
        target.storeBytes(of: brainBits(value), toByteOffset: 2 * index, as: UInt16.self)
      }
    case .q80:
      for block in 0..<values.count / blockSize {
        let x = UnsafeBufferPointer(rebasing: values[block * blockSize..<(block + 1) * blockSize])
        let place = target + block * blockByteCount
        let d = x.reduce(0) { max($0, abs($1)) } / 127
        // Of a subnormal scale the inverse is infinite; in half precision such a scale is 0.
        let inverse = d > 0 && (1 / d).isFinite ? 1 / d : 0
        place.storeBytes(of: halfBits(d), as: UInt16.self)
        for (index, value) in x.enumerated() {
          let q = (value * inverse).rounded(.toNearestOrAwayFromZero)
          place.storeBytes(of: Int8(max(-127, min(127, q))), toByteOffset: 2 + index, as: Int8.self)
        }
      }
    default: preconditionFailure("\(rawValue) is not written")
    }
  }
}

/// `value` in half precision, to nearest, ties to even.
private func halfBits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
  let magnitude = bits & 0x7fff_ffff
  if magnitude >= 0x7f80_0000 { return sign | (magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00) }
  // 65520 and above are nearer to 2^16 than to 65504, the largest finite number.
  if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
  if magnitude < 0x3880_0000 {
    // Below 2^-14 the steps are of 2^-24, those of a Float from 0.5 up: the sum rounds.
    let sum = Float(bitPattern: magnitude) + 0.5
    return sign | UInt16(truncatingIfNeeded: sum.bitPattern &- 0x3f00_0000)
  }
  let rounded = magnitude &+ 0x0fff &+ (magnitude >> 13 & 1)
  return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) >> 13)
}

/// `value` in bfloat16, to nearest, ties to even.
private func brainBits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x0040 }
  return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
}

/// What rounding to the written types changed in a model's weights.
public struct RoundingShift: Sendable {
  /// ‖written − given‖ / ‖given‖, the Frobenius norm over all tensors together.
  public var relative: Double { (error / max(norm, .leastNormalMagnitude)).squareRoot() }
  /// The tensor for which that is largest, by its name in Hugging Face's form; nil where nothing was changed.
  public private(set) var largest: (tensor: String, relative: Double)?
  /// The numbers written.
  public private(set) var count = 0

  /// The sums of squares of what was changed and of what was given.
  private var (error, norm) = (0.0, 0.0)

  /// Rounds `values` of the tensor `name` to `type`. Throws, naming `file` and the tensor, where a number is not finite,
  /// or is too large for `type`.
  mutating func round(
    _ values: UnsafeBufferPointer<Float>, to type: ElementType, name: String, file: String
  ) throws(FileError) -> [UInt8] {
    let byteCount = values.count / type.blockSize * type.blockByteCount
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      if let target = buffer.baseAddress { type.round(values, into: target) }
      count = byteCount
    }
    let isFinite = bytes.withUnsafeBytes { bytes in
      bytes.baseAddress.map { !type.hasNonFinite($0, count: values.count) } ?? true
    }
    guard isFinite else { throw Self.refusal(values, type, name: name, file: file) }
    count += values.count
    measure(values, bytes, type, name: name)
    return bytes
  }

  private static func refusal(
    _ values: UnsafeBufferPointer<Float>, _ type: ElementType, name: String, file: String
  ) -> FileError {
    let place = "tensor \(name)"
    if let (index, value) = values.enumerated().first(where: { !$0.element.isFinite }) {
      return FileError(
        file: file, location: place, expected: "finite numbers", found: "\(value) at \(index)")
    }
    let (index, value) =
      values.enumerated().max { abs($0.element) < abs($1.element) }.map { ($0.offset, $0.element) }
      ?? (0, 0)
    return FileError(
      file: file, location: place,
      expected: "numbers in the range of \(type.rawValue); BF16 and F32 have a larger one",
      found: "\(value) at \(index)")
  }

  private mutating func measure(
    _ values: UnsafeBufferPointer<Float>, _ bytes: [UInt8], _ type: ElementType, name: String
  ) {
    var (error, norm) = (0.0, 0.0)
    if type == .f32 {
      for value in values { norm += Double(value) * Double(value) }
    } else {
      let written = [Float](unsafeUninitializedCapacity: values.count) { buffer, count in
        bytes.withUnsafeBytes {
          if let source = $0.baseAddress, let target = buffer.baseAddress {
            type.dequantize(source, count: values.count, into: target)
          }
        }
        count = values.count
      }
      for (value, written) in zip(values, written) {
        let difference = Double(written) - Double(value)
        error += difference * difference
        norm += Double(value) * Double(value)
      }
    }
    self.error += error
    self.norm += norm
    let relative = (error / max(norm, .leastNormalMagnitude)).squareRoot()
    if relative > largest?.relative ?? 0 { largest = (name, relative) }
  }
}
