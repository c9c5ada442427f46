import Checkpoints
import Files
import Foundation
import Testing

/// Rounding to the types that models are written in, against ggml's own functions (`make_rounding.py`).
@Suite struct RoundingTests {
  private struct Golden: Decodable {
    let values: [UInt32]
    let f16: [UInt16]
    let bf16: [UInt16]
    let q80: [UInt8]

    enum CodingKeys: String, CodingKey {
      case values, f16, bf16
      case q80 = "q8_0"
    }

    init() throws {
      self = try JSONDecoder().decode(
        Self.self, from: Data(contentsOf: URL(fileURLWithPath: fixtures + "/rounding.json")))
    }

    func bytes(_ type: ElementType) -> [UInt8] {
      switch type {
      case .f16: f16.flatMap(littleEndian)
      case .bf16: bf16.flatMap(littleEndian)
      case .q80: q80
      default: values.flatMap(littleEndian)
      }
    }
  }

  private func rounded(_ values: [Float], _ type: ElementType) -> [UInt8] {
    var bytes = [UInt8](
      repeating: 0xaa, count: values.count / type.blockSize * type.blockByteCount)
    values.withUnsafeBufferPointer { values in
      bytes.withUnsafeMutableBytes { bytes in
        if let target = bytes.baseAddress { type.round(values, into: target) }
      }
    }
    return bytes
  }

  @Test("The bytes of each written type are those of ggml", arguments: ElementType.written)
  func bytes(type: ElementType) throws {
    let golden = try Golden()
    let expected = golden.bytes(type)
    let found = rounded(golden.values.map(Float.init(bitPattern:)), type)
    #expect(found.count == expected.count && Set(expected).count > 100)
    let width = type.blockByteCount
    for block in 0..<expected.count / width
    where found[block * width..<(block + 1) * width]
      != expected[block * width..<(block + 1) * width]
    {
      Issue.record(
        "\(type.rawValue), block \(block): \(found[block * width..<(block + 1) * width]), not \(expected[block * width..<(block + 1) * width])"
      )
      return
    }
  }

  @Test(
    "A number that its type cannot hold is refused with its tensor and place, and nothing is written",
    arguments: [
      (Float.nan, ElementType.f32, "nan at 5"), (.infinity, .bf16, "inf at 5"),
      (-65520, .f16, "-65520.0 at 5"), (3.4e38, .bf16, "3.4e+38 at 5"), (1e9, .q80, "1e+09 at 5"),
    ])
  func refused(value: Float, type: ElementType, found: String) throws {
    let source = try Checkpoint(path: fixtures + "/qwen2")
    let name = "model.embed_tokens.weight"
    // Wide enough for a block of Q8_0.
    var configuration = source.configuration
    configuration.hiddenSize = 32
    let tensors = configuration.tensorShapes.map { tensor in
      var values = [Float](repeating: 0.5, count: tensor.shape.reduce(1, *))
      if tensor.name == name { values[5] = value }
      return TensorSource(name: tensor.name, shape: tensor.shape, values: values)
    }
    try withFolder { folder in
      let error = #expect(throws: FileError.self) {
        if type == .q80 {
          _ = try Checkpoint.writeGGUF(
            configuration, tensors: tensors, type: type, to: folder + "/x.gguf")
        } else {
          _ = try Checkpoint.writeHuggingFace(
            configuration, tensors: tensors, roundedTo: type, to: folder)
        }
      }
      #expect(error?.location == "tensor \(name)" && error?.found.lowercased() == found)
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left.isEmpty, "\(left)")
    }
  }

  @Test("A folder in half precision holds the rounded numbers, its type and how far they are off")
  func halfFolder() throws {
    let source = try Checkpoint(path: fixtures + "/../decoder/untied")
    let tensors = try source.tensors.map {
      TensorSource(name: $0.name, shape: $0.shape, values: try source.read($0.name))
    }
    for (type, dtype) in [(ElementType.f16, "float16"), (.bf16, "bfloat16"), (.f32, "float32")] {
      try withFolder { folder in
        let shift = try Checkpoint.writeHuggingFace(
          source.configuration, tensors: tensors, roundedTo: type, to: folder)
        let copy = try Checkpoint(path: folder)
        #expect(copy.configuration == source.configuration)
        #expect(copy.tensors.allSatisfy { $0.elementType == type })
        let json = try JSONNode(path: folder + "/config.json")
        #expect(try json.string("dtype") == dtype && json.string("torch_dtype") == dtype)
        var (error, norm) = (0.0, 0.0)
        for tensor in source.tensors {
          let values = try source.read(tensor.name)
          let bytes = rounded(values, type)
          #expect(try copy.read(tensor.name).count == values.count)
          for (a, b) in zip(try copy.read(tensor.name), values) {
            error += Double(a - b) * Double(a - b)
            norm += Double(b) * Double(b)
          }
          #expect(bytes.count == type.blockByteCount * values.count)
        }
        #expect(abs(shift.relative - (error / norm).squareRoot()) <= 1e-12)
        // Half a step of the last bit at most.
        #expect(shift.relative < (type == .f32 ? 1e-30 : type == .f16 ? 0x1p-11 : 0x1p-8))
        #expect((shift.largest == nil) == (type == .f32))
        #expect(shift.count == source.tensors.reduce(0) { $0 + $1.elementCount })
      }
    }
  }
}
