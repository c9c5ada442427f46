import Checkpoints
import Files
import Randomness
import Testing

struct DamagedSafetensors {
  private static let entry = #"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#

  @Test(
    "A damaged safetensors file is refused with its place",
    arguments: [
      ([], ""),
      ([1, 2, 3], "header"),
      (littleEndian(UInt64.max), "header length"),
      (littleEndian(UInt64(9)) + [123, 125], "header length"),
      (safetensors("{"), "header"),
      (safetensors("[]"), "header"),
      (safetensors(String(repeating: "[", count: 100_000)), "header"),
      (safetensors("\u{0}"), "header"),
      (safetensors(#"{"x":1}"#), "header.x"),
      (safetensors(#"{"x":{}}"#), "header.x.dtype"),
      (
        safetensors(
          #"{"x":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#,
          data: .init(repeating: 0, count: 8)), "tensor x"
      ),
      (
        safetensors(
          #"{"x":{"dtype":"Q4_0","shape":[32],"data_offsets":[0,18]}}"#,
          data: .init(repeating: 0, count: 18)), "tensor x"
      ),
      (
        safetensors(
          #"{"x":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}"#,
          data: .init(repeating: 0, count: 8)), "tensor x"
      ),
      (
        safetensors(#"{"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#),
        "tensor x"
      ),
      (
        safetensors(#"{"x":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#),
        "tensor x"
      ),
      (safetensors(#"{"x":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}}"#), "header.x.shape"),
      (safetensors(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0]}}"#), "tensor x"),
      (safetensors(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}"#), "tensor x"),
      (safetensors(#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}"#), "tensor x"),
      (safetensors(#"{"x":\#(entry)}"#), "tensor x"),
      (
        safetensors(
          #"{"x":\#(entry),"x":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}}"#,
          data: .init(repeating: 0, count: 12)), "tensor x"
      ),
      (safetensors(#"{"x":\#(entry)}"#, data: .init(repeating: 0, count: 7)), "tensor x"),
      (safetensors(#"{"x":\#(entry)}"#, data: .init(repeating: 0, count: 9)), "end of data"),
      (
        safetensors(#"{"x":\#(entry),"y":\#(entry)}"#, data: .init(repeating: 0, count: 8)),
        "tensor"
      ),
      (
        safetensors(
          #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
          data: .init(repeating: 0, count: 8)), "tensor x"
      ),
    ] as [([UInt8], String)])
  func damaged(file: [UInt8], place: String) throws {
    try withFolder { folder in
      try write(file, folder + "/x.safetensors")
      let error = #expect(throws: FileError.self) {
        try SafetensorsFile(path: folder + "/x.safetensors")
      }
      #expect(error?.file == folder + "/x.safetensors")
      let location = error?.location ?? ""
      #expect(location.hasPrefix(place), "\(location)")
    }
  }

  @Test(
    "A damaged shard index is refused",
    arguments: [
      "{}", #"{"weight_map":[]}"#, #"{"weight_map":{"model.norm.weight":"../shard.safetensors"}}"#,
      #"{"weight_map":{"model.norm.weight":"missing.safetensors"}}"#,
      #"{"weight_map":{"other":"shard.safetensors"}}"#,
      #"{"weight_map":{"model.norm.weight":"shard.safetensors"}}"#,
    ])
  func damagedIndex(text: String) throws {
    try withFolder { folder in
      try write(bytes(of: fixtures + "/qwen2/config.json"), folder + "/config.json")
      try write(bytes(of: fixtures + "/qwen2/model.safetensors"), folder + "/shard.safetensors")
      try write(Array(text.utf8), folder + "/model.safetensors.index.json")
      #expect(throws: FileError.self) { try Checkpoint(path: folder) }
    }
  }

  @Test("Missing files are named", arguments: ["", "/model.safetensors", "/model.gguf"])
  func missing(path: String) throws {
    try withFolder { folder in
      let error = #expect(throws: FileError.self) { try Checkpoint(path: folder + path) }
      #expect(error?.file == (path.hasSuffix("gguf") ? folder + path : folder + "/config.json"))
    }
  }
}

struct DamagedGGUF {
  private static let magic = Array("GGUF".utf8)

  private static func string(_ text: String) -> [UInt8] {
    littleEndian(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  /// A file of version 3 with the metadata pairs and the tensor entries given as bytes.
  private static func file(pairs: [[UInt8]] = [], tensors: [[UInt8]] = [], data: Int = 0) -> [UInt8]
  {
    let header =
      magic + littleEndian(UInt32(3)) + littleEndian(UInt64(tensors.count))
      + littleEndian(UInt64(pairs.count))
      + pairs.joined() + tensors.joined()
    return header + [UInt8](repeating: 0, count: (32 - header.count % 32) % 32 + data)
  }

  private static func pair(_ key: String, type: UInt32, _ value: [UInt8]) -> [UInt8] {
    string(key) + littleEndian(type) + value
  }

  private static func tensor(
    _ name: String, _ shape: [UInt64], type: UInt32 = 0, offset: UInt64 = 0
  ) -> [UInt8] {
    string(name) + littleEndian(UInt32(shape.count)) + shape.flatMap(littleEndian)
      + littleEndian(type)
      + littleEndian(offset)
  }

  private static func array(of type: UInt32, count: UInt64, _ elements: [UInt8] = []) -> [UInt8] {
    littleEndian(type) + littleEndian(count) + elements
  }

  @Test(
    "A damaged GGUF is refused with its place",
    arguments: [
      (Array("GGML".utf8) + littleEndian(UInt32(3)), "magic"),
      (magic, "version"),
      (magic + littleEndian(UInt32(1)), "version"),
      (magic + [0, 0, 0, 3], "version"),
      (magic + littleEndian(UInt32(3)) + littleEndian(UInt64.max), "tensor count"),
      (
        magic + littleEndian(UInt32(3)) + littleEndian(UInt64(0)) + littleEndian(UInt64(1) << 62),
        "length of key 0"
      ),
      (file(pairs: [littleEndian(UInt64.max)]), "length of key 0"),
      (file(pairs: [littleEndian(UInt64(1) << 62)]), "key 0"),
      (file(pairs: [string("k") + littleEndian(UInt32(13))]), "key k"),
      (file(pairs: [pair("k", type: 7, [2])]), "key k"),
      (file(pairs: [pair("k", type: 10, littleEndian(UInt64.max))]), "key k"),
      (file(pairs: [pair("k", type: 8, littleEndian(UInt64(1)) + [0xff])]), "key k"),
      (
        file(pairs: [pair("k", type: 4, [1, 0, 0, 0]), pair("k", type: 4, [1, 0, 0, 0])]), "key k"
      ),
      (file(pairs: [pair("k", type: 9, array(of: 8, count: 1 << 60))]), "key k"),
      (file(pairs: [pair("k", type: 9, array(of: 4, count: .max))]), "length of key k"),
      (file(pairs: [pair("k", type: 9, array(of: 9, count: 1, array(of: 4, count: 0)))]), "key k"),
      (
        file(pairs: [pair("general.alignment", type: 4, littleEndian(UInt32(0)))]),
        "key general.alignment"
      ),
      (
        file(pairs: [pair("general.alignment", type: 4, littleEndian(UInt32(24)))]),
        "key general.alignment"
      ),
      (
        file(pairs: [pair("general.alignment", type: 4, littleEndian(UInt32.max))]),
        "key general.alignment"
      ),
      (file(tensors: [tensor("t", [])]), "tensor t"),
      (file(tensors: [tensor("t", [1, 1, 1, 1, 1])]), "tensor t"),
      (file(tensors: [tensor("t", [1 << 32, 1 << 32])]), "tensor t"),
      (file(tensors: [tensor("t", [.max])]), "dimension of tensor t"),
      (file(tensors: [tensor("t", [8], type: 99)], data: 32), "tensor t"),
      (file(tensors: [tensor("t", [33], type: 2)], data: 64), "tensor t"),
      (file(tensors: [tensor("t", [8], offset: 4)], data: 64), "tensor t"),
      (file(tensors: [tensor("t", [8], offset: 32)], data: 32), "tensor t"),
      (file(tensors: [tensor("t", [8], offset: 1 << 62)], data: 32), "tensor t"),
      (file(tensors: [tensor("t", [8]), tensor("u", [8])], data: 32), "tensor"),
    ] as [([UInt8], String)])
  func damaged(file: [UInt8], place: String) throws {
    try withFolder { folder in
      try write(file, folder + "/x.gguf")
      let error = #expect(throws: FileError.self) { try GGUFFile(path: folder + "/x.gguf") }
      #expect(error?.file == folder + "/x.gguf")
      let location = error?.location ?? ""
      #expect(location.hasPrefix(place), "\(location)")
    }
  }
}

struct NonFiniteNumbers {
  /// Where in the last block of each type a number in half precision, or the upper half of a wider one, lies: the scale,
  /// then the minimum.
  private static let places: [ElementType: [Int]] = [
    .f32: [2], .f16: [0], .bf16: [0], .q40: [0], .q41: [0, 2], .q50: [0], .q51: [0, 2], .q80: [0],
    .q4K: [0, 2], .q5K: [0, 2], .q6K: [208],
  ]

  @Test("A number, a scale or a minimum that is not finite is found in every type of tensor")
  func everyType() throws {
    let path = fixtures + "/llama.gguf"
    let whole = try bytes(of: path)
    let checkpoint = try Checkpoint(path: path)
    var types: Set<ElementType> = []
    try withFolder { folder in
      for description in checkpoint.tensors where types.insert(description.elementType).inserted {
        let (name, type) = (description.name, description.elementType)
        let stored = try checkpoint.tensor(name)
        try stored.checkFinite()
        let isHalf = type != .f32 && type != .bf16
        let (infinite, none, largest): (UInt16, UInt16, UInt16) =
          isHalf ? (0x7c00, 0xfe01, 0x7bff) : (0x7f80, 0xffc1, 0x7f7f)
        for place in Self.places[type] ?? [] {
          for bits in [infinite, none, largest] {
            var damaged = whole
            let start = stored.offset + description.byteCount - type.blockByteCount + place
            damaged.replaceSubrange(start..<start + 2, with: littleEndian(bits))
            let copy = folder + "/x.gguf"
            try write(damaged, copy)
            let tensor = try Checkpoint(path: copy).tensor(name)
            guard bits != largest else {
              try tensor.checkFinite()
              continue
            }
            let error = #expect(throws: FileError.self) { try tensor.checkFinite() }
            #expect(error?.file == copy && error?.location == "tensor \(name)")
            #expect(tensor.values.contains { !$0.isFinite }, "\(type) \(place)")
          }
        }
      }
    }
    #expect(types.count == ElementType.allCases.count)
  }
}

struct RandomDamage {
  /// Opens and reads all of what may be a checkpoint; whether it was refused.
  private func isRefused(_ path: String) throws -> Bool {
    do {
      let checkpoint = try Checkpoint(path: path)
      for tensor in checkpoint.tensors { _ = try checkpoint.read(tensor.name) }
      return false
    } catch is FileError {
      return true
    }
  }

  @Test(
    "Random byte flips and truncations are refused or read, and never crash",
    arguments: [
      ("llama.gguf", "/x.gguf"), ("qwen2/model.safetensors", "/model.safetensors"),
      ("qwen2/config.json", "/config.json"),
    ])
  func flips(source: String, target: String) throws {
    let whole = try bytes(of: "\(fixtures)/\(source)")
    var random = SeededGenerator(seed: 7, stream: source)
    try withFolder { folder in
      for name in ["config.json", "model.safetensors"] {
        try write(bytes(of: "\(fixtures)/qwen2/\(name)"), "\(folder)/\(name)")
      }
      let path = target.hasSuffix("gguf") ? folder + target : folder
      var refusals = 0
      for _ in 0..<300 {
        var damaged = whole
        if random.chance(0.2) {
          damaged.removeLast(1 + random.index(below: whole.count))
        } else {
          for _ in 0...random.index(below: 4) {
            // The first two thousand bytes hold the headers, where damage does most.
            damaged[random.index(below: min(2000, whole.count))] = UInt8(random.index(below: 256))
          }
        }
        try write(damaged, folder + target)
        if try isRefused(path) { refusals += 1 }
      }
      #expect(refusals > 60)
    }
  }
}
