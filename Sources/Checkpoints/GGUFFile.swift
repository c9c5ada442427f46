import Files

/// A value of a GGUF file's metadata.
public enum GGUFValue: Hashable, Sendable {
  case string(String)
  case integer(Int)
  case number(Double)
  case bool(Bool)
  case strings([String])
  case integers([Int])
  case numbers([Double])
  case bools([Bool])
}

/// A GGUF file, version 2 or 3, memory-mapped: typed metadata (the tokenizer's tables among it) and
/// tensors.
///
/// Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
public struct GGUFFile: Sendable {
  public let path: String
  /// By key, such as `tokenizer.ggml.tokens`.
  public let metadata: [String: GGUFValue]
  /// By GGUF's own names, shapes row-major (the reverse of the file's order).
  package let tensors: [StoredTensor]

  /// Reads everything but the tensors' values.
  ///
  /// Throws `FileError` when the file is damaged, of another version or byte order, or holds
  /// a type not read here.
  public init(path: String) throws {
    let file = try MappedFile(path: path)
    var reader = GGUFReader(path: path, bytes: file.bytes)
    guard try reader.bytes(4, "magic").elementsEqual("GGUF".utf8) else {
      throw reader.failure("magic", "GGUF", "other bytes")
    }
    let version = try reader.number(UInt32.self, "version")
    guard (2...3).contains(version) else {
      throw reader.failure(
        "version", "2 or 3, little-endian",
        version & 0xffff == 0 ? "a big-endian file" : "\(version)")
    }
    let tensorCount = try reader.size("tensor count")
    let pairCount = try reader.size("metadata count")

    var metadata: [String: GGUFValue] = [:]
    for index in 0..<pairCount {
      let key = try reader.string("key \(index)")
      guard try metadata.updateValue(reader.value(key), forKey: key) == nil else {
        throw reader.failure("key \(key)", "one value", "two")
      }
    }
    let entries = try (0..<tensorCount).reduce(into: []) { entries, index in
      entries.append(try reader.tensor(index))
    }

    var alignment = 32
    switch metadata["general.alignment"] {
    case nil: break
    case .integer(let value)? where value > 0 && value <= 1 << 30 && value & (value - 1) == 0:
      alignment = value
    case let other?: throw reader.failure("key general.alignment", "a power of two", "\(other)")
    }
    let start = (reader.offset + alignment - 1) / alignment * alignment
    let tensors = try entries.map { name, shape, type, offset in
      guard let byteCount = type.byteCount(shape: shape) else {
        throw reader.failure(
          "tensor \(name)", "rows of whole \(type.rawValue) blocks", "shape \(shape)")
      }
      let place = "tensor \(name)"
      guard offset.isMultiple(of: alignment) else {
        throw reader.failure(place, "an offset that is a multiple of \(alignment)", "\(offset)")
      }
      let size = file.bytes.count
      guard start <= size, offset <= size - start, byteCount <= size - start - offset else {
        throw reader.failure(
          place, "\(byteCount) bytes from offset \(offset) on", "a file of \(size) bytes")
      }
      return StoredTensor(
        description: TensorDescription(
          name: name, shape: shape, elementType: type, byteCount: byteCount, file: path),
        file: file, offset: start + offset)
    }
    let inOrder = tensors.sorted {
      ($0.offset, $0.description.byteCount) < ($1.offset, $1.description.byteCount)
    }
    for (tensor, next) in zip(inOrder, inOrder.dropFirst())
    where tensor.offset + tensor.description.byteCount > next.offset {
      throw reader.failure(
        "tensor \(next.description.name)", "an offset beyond \(tensor.description.name)",
        "bytes that overlap with it")
    }
    self.path = path
    self.metadata = metadata
    self.tensors = tensors
  }
}

/// Reads a GGUF header from its start to its end; every read is checked against the bytes that are
/// left.
private struct GGUFReader {
  let path: String
  let bytes: UnsafeRawBufferPointer
  private(set) var offset = 0

  init(path: String, bytes: UnsafeRawBufferPointer) {
    self.path = path
    self.bytes = bytes
  }

  func failure(_ place: String, _ expected: String, _ found: String) -> FileError {
    FileError(file: path, location: place, expected: expected, found: found)
  }

  mutating func bytes(_ count: Int, _ place: String) throws -> UnsafeRawBufferPointer {
    guard count <= bytes.count - offset else {
      throw failure(
        "\(place) at byte \(offset)", "\(count) bytes",
        "\(bytes.count - offset) before the file's end")
    }
    defer { offset += count }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count])
  }

  mutating func number<Number: BitwiseCopyable>(_ type: Number.Type, _ place: String) throws
    -> Number
  {
    try bytes(MemoryLayout<Number>.size, place).loadUnaligned(as: type)
  }

  /// A 64-bit count or length.
  mutating func size(_ place: String) throws -> Int {
    let value = try number(UInt64.self, place)
    guard let size = Int(exactly: value) else {
      throw failure(place, "a number that fits in 63 bits", "\(value)")
    }
    return size
  }

  mutating func string(_ place: String) throws -> String {
    let length = try size("length of \(place)")
    guard let string = String(validating: try bytes(length, place), as: UTF8.self) else {
      throw failure(place, "UTF-8", "other bytes")
    }
    return string
  }

  /// The type code and value of `key`.
  mutating func value(_ key: String) throws -> GGUFValue {
    let place = "key \(key)"
    switch try number(UInt32.self, "type of \(place)") {
    case 6: return .number(Double(try number(Float.self, place)))
    case 12: return .number(try number(Double.self, place))
    case 7: return .bool(try bool(place))
    case 8: return .string(try string(place))
    case 9: return try array(place)
    case let code: return .integer(try integer(code, place))
    }
  }

  private mutating func bool(_ place: String) throws -> Bool {
    let byte = try number(UInt8.self, place)
    guard byte <= 1 else { throw failure(place, "0 or 1", "\(byte)") }
    return byte == 1
  }

  private mutating func integer(_ code: UInt32, _ place: String) throws -> Int {
    switch code {
    case 0: return Int(try number(UInt8.self, place))
    case 1: return Int(try number(Int8.self, place))
    case 2: return Int(try number(UInt16.self, place))
    case 3: return Int(try number(Int16.self, place))
    case 4: return Int(try number(UInt32.self, place))
    case 5: return Int(try number(Int32.self, place))
    case 10: return try size(place)
    case 11: return Int(try number(Int64.self, place))
    default: throw failure(place, "a value type of GGUF, not an array of arrays", "type \(code)")
    }
  }

  private mutating func array(_ place: String) throws -> GGUFValue {
    let code = try number(UInt32.self, "type of \(place)")
    let count = try size("length of \(place)")
    // Every element takes at least a byte, so that a damaged length is seen before anything is
    // stored.
    guard count <= bytes.count - offset else {
      throw failure(
        place, "at most the \(bytes.count - offset) elements that fit in the file", "\(count)")
    }
    func elements<Element>(_ read: (inout GGUFReader) throws -> Element) rethrows -> [Element] {
      var elements: [Element] = []
      for _ in 0..<count { elements.append(try read(&self)) }
      return elements
    }
    switch code {
    case 6: return .numbers(try elements { Double(try $0.number(Float.self, place)) })
    case 12: return .numbers(try elements { try $0.number(Double.self, place) })
    case 7: return .bools(try elements { try $0.bool(place) })
    case 8: return .strings(try elements { try $0.string(place) })
    default: return .integers(try elements { try $0.integer(code, place) })
    }
  }

  /// The description of tensor number `index`: name, row-major shape, type and offset from the
  /// data's start.
  mutating func tensor(_ index: Int) throws -> (
    name: String, shape: [Int], type: ElementType, offset: Int
  ) {
    let name = try string("name of tensor \(index)")
    let place = "tensor \(name)"
    let dimensionCount = try number(UInt32.self, place)
    guard (1...4).contains(dimensionCount) else {
      throw failure(place, "1 to 4 dimensions", "\(dimensionCount)")
    }
    var shape: [Int] = []
    for _ in 0..<dimensionCount { shape.insert(try size("dimension of \(place)"), at: 0) }
    let code = try number(UInt32.self, place)
    guard let type = ElementType(gguf: code) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw failure(place, "type \(known)", "GGUF's type number \(code)")
    }
    return (name, shape, type, try size("offset of \(place)"))
  }
}
