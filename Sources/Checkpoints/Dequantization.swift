// d: a block's scale, m: its minimum or offset, q: the small whole number stored for one weight.
// ql, qh: the low four bits of q and the bits above them, stored apart.

extension ElementType {
  /// Turns `count` stored numbers, a whole number of blocks, into `Float`.
  ///
  /// The arithmetic, order included, is that of `gguf.quants.dequantize` in the Python package
  /// gguf, so that the results are equal bit for bit.
  func dequantize(_ source: UnsafeRawPointer, count: Int, into values: UnsafeMutablePointer<Float>)
  {
    precondition(
      count.isMultiple(of: blockSize), "\(count) numbers are no whole number of \(rawValue) blocks")
    switch self {
    case .f32:
      UnsafeMutableRawPointer(values).copyMemory(from: source, byteCount: 4 * count)
    case .f16:
      for i in 0..<count { values[i] = half(source, 2 * i) }
    case .bf16:
      for i in 0..<count {
        values[i] = Float(
          bitPattern: UInt32(source.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)) << 16)
      }
    case .q40:
      forEachBlock(source, count, values) { block, out in
        let d = half(block, 0)
        let q = bytes16(block, 2)
        store((q & 15).asFloats(minus: 8) * d, to: out)
        store((q &>> 4).asFloats(minus: 8) * d, to: out + 16)
      }
    case .q41:
      forEachBlock(source, count, values) { block, out in
        let d = half(block, 0)
        let m = half(block, 2)
        let q = bytes16(block, 4)
        store((q & 15).asFloats() * d + m, to: out)
        store((q &>> 4).asFloats() * d + m, to: out + 16)
      }
    case .q50:
      forEachBlock(source, count, values) { block, out in
        let d = half(block, 0)
        let ql = bytes16(block, 6)
        store((ql & 15 | fifthBits(block, 2)).asFloats(minus: 16) * d, to: out)
        store((ql &>> 4 | fifthBits(block, 4)).asFloats(minus: 16) * d, to: out + 16)
      }
    case .q51:
      forEachBlock(source, count, values) { block, out in
        let d = half(block, 0)
        let m = half(block, 2)
        let ql = bytes16(block, 8)
        store((ql & 15 | fifthBits(block, 4)).asFloats() * d + m, to: out)
        store((ql &>> 4 | fifthBits(block, 6)).asFloats() * d + m, to: out + 16)
      }
    case .q80:
      forEachBlock(source, count, values) { block, out in
        let d = half(block, 0)
        for part in 0..<2 {
          // A signed byte is the unsigned one with its top bit turned, less 128.
          store((bytes16(block, 2 + 16 * part) ^ 128).asFloats(minus: 128) * d, to: out + 16 * part)
        }
      }
    case .q4K:
      forEachBlock(source, count, values) { block, out in
        for group in 0..<8 {
          let (d, m) = scaleAndMinimum(block, group)
          for part in 0..<2 {
            let packed = bytes16(block, 16 + 32 * (group / 2) + 16 * part)
            let q = group.isMultiple(of: 2) ? packed & 15 : packed &>> 4
            store(q.asFloats() * d - m, to: out + 32 * group + 16 * part)
          }
        }
      }
    case .q5K:
      forEachBlock(source, count, values) { block, out in
        for group in 0..<8 {
          let (d, m) = scaleAndMinimum(block, group)
          for part in 0..<2 {
            let packed = bytes16(block, 48 + 32 * (group / 2) + 16 * part)
            let ql = group.isMultiple(of: 2) ? packed & 15 : packed &>> 4
            let qh = (bytes16(block, 16 + 16 * part) &>> UInt8(group)) & 1
            store((ql | qh &<< 4).asFloats() * d - m, to: out + 32 * group + 16 * part)
          }
        }
      }
    case .q6K:
      forEachBlock(source, count, values) { block, out in
        let d = half(block, 208)
        for group in 0..<8 {  // 32 weights each; four groups share 64 bytes of ql and 32 of qh
          let (outer, inner) = (group / 4, group % 4)
          for part in 0..<2 {
            let packed = bytes16(block, 64 * outer + 32 * (inner % 2) + 16 * part)
            let ql = inner < 2 ? packed & 15 : packed &>> 4
            let qh = (bytes16(block, 128 + 32 * outer + 16 * part) &>> UInt8(2 * inner)) & 3
            let scale = d * Float(block.load(fromByteOffset: 192 + 2 * group + part, as: Int8.self))
            store((ql | qh &<< 4).asFloats(minus: 32) * scale, to: out + 32 * group + 16 * part)
          }
        }
      }
    }
  }

  /// Calls `body` with each block's bytes and with where its numbers go.
  @inline(__always)
  private func forEachBlock(
    _ source: UnsafeRawPointer, _ count: Int, _ values: UnsafeMutablePointer<Float>,
    _ body: (UnsafeRawPointer, UnsafeMutablePointer<Float>) -> Void
  ) {
    let (size, byteCount) = (blockSize, blockByteCount)
    for block in 0..<count / size {
      body(source + block * byteCount, values + block * size)
    }
  }
}

/// The half-precision number at `offset`, widened without loss.
///
/// The exponent and fraction, shifted into a `Float`'s place and scaled by 2^112, give every finite
/// number, subnormals included; infinities and NaNs need their exponent filled.
@inline(__always)
private func half(_ source: UnsafeRawPointer, _ offset: Int) -> Float {
  let bits = UInt32(source.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
  let magnitude = (bits & 0x7fff) << 13
  let finite = (Float(bitPattern: magnitude) * 0x1p112).bitPattern
  let special: UInt32 = magnitude >= 0x0f80_0000 ? 0x7f80_0000 : 0
  return Float(bitPattern: finite | special | (bits & 0x8000) << 16)
}

@inline(__always)
private func bytes16(_ source: UnsafeRawPointer, _ offset: Int) -> SIMD16<UInt8> {
  source.loadUnaligned(fromByteOffset: offset, as: SIMD16<UInt8>.self)
}

/// The sixteen bits at `offset`, one a lane, each in the place of a weight's fifth bit.
@inline(__always)
private func fifthBits(_ source: UnsafeRawPointer, _ offset: Int) -> SIMD16<UInt8> {
  let low = SIMD8(repeating: source.load(fromByteOffset: offset, as: UInt8.self))
  let high = SIMD8(repeating: source.load(fromByteOffset: offset + 1, as: UInt8.self))
  let shifts = SIMD16<UInt8>(0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7)
  return ((SIMD16(lowHalf: low, highHalf: high) &>> shifts) & 1) &<< 4
}

/// The scale and the minimum of one of the eight groups of a Q4_K or Q5_K block, six bits each in
/// twelve bytes.
@inline(__always)
private func scaleAndMinimum(_ block: UnsafeRawPointer, _ group: Int) -> (Float, Float) {
  func packed(_ index: Int) -> UInt8 { block.load(fromByteOffset: 4 + index, as: UInt8.self) }
  let scale: UInt8
  let minimum: UInt8
  if group < 4 {
    scale = packed(group) & 63
    minimum = packed(group + 4) & 63
  } else {
    scale = packed(group + 4) & 15 | (packed(group - 4) >> 6) << 4
    minimum = packed(group + 4) >> 4 | (packed(group) >> 6) << 4
  }
  return (half(block, 0) * Float(scale), half(block, 2) * Float(minimum))
}

@inline(__always)
private func store(_ values: SIMD16<Float>, to out: UnsafeMutablePointer<Float>) {
  UnsafeMutableRawPointer(out).storeBytes(of: values, as: SIMD16<Float>.self)
}

extension SIMD16<UInt8> {
  /// Each lane less `offset`, as `Float`.
  @inline(__always)
  fileprivate func asFloats(minus offset: Int32 = 0) -> SIMD16<Float> {
    SIMD16<Float>(SIMD16<Int32>(truncatingIfNeeded: self) &- offset)
  }
}
