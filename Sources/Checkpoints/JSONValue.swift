import Foundation

/// A JSON value of any shape, for files whose keys differ from one writer to the next.
enum JSONValue: Codable, Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode([JSONValue].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSONValue].self))
    }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .bool(let value): try container.encode(value)
    case .integer(let value): try container.encode(value)
    case .number(let value): try container.encode(value)
    case .string(let value): try container.encode(value)
    case .array(let value): try container.encode(value)
    case .object(let value): try container.encode(value)
    }
  }
}

/// A JSON object together with the file and place it stands in, so that every error can name them.
struct JSONObject {
  let file: String
  /// Where in the file the object stands, a prefix of the keys in errors: empty at the top, else
  /// `"rope_scaling."`.
  let prefix: String
  let values: [String: JSONValue]

  /// The object that `bytes` of `file` hold.
  init(_ bytes: UnsafeRawBufferPointer, file: String, place: String = "file") throws {
    let decoded: JSONValue
    do {
      decoded = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
    } catch {
      throw CheckpointError(
        file: file, place: place, expected: "a JSON object", found: "bytes that are not JSON")
    }
    guard case .object(let values) = decoded else {
      throw CheckpointError(
        file: file, place: place, expected: "a JSON object", found: "\(decoded)")
    }
    self.init(file: file, prefix: "", values: values)
  }

  /// The object that the whole file at `path` holds.
  init(path: String) throws {
    let mapped = try MappedFile(path: path)
    try self.init(mapped.bytes, file: path)
  }

  init(file: String, prefix: String, values: [String: JSONValue]) {
    self.file = file
    self.prefix = prefix
    self.values = values
  }

  /// The value of `key`; nil when the key is absent or null.
  subscript(key: String) -> JSONValue? {
    values[key].flatMap { $0 == .null ? nil : $0 }
  }

  func error(_ key: String, expected: String) -> CheckpointError {
    CheckpointError(
      file: file, place: "key \(prefix)\(key)", expected: expected,
      found: values[key].map { "\($0)" } ?? "no such key")
  }

  /// The whole number at `key`, or `absent` when there is none; throws when neither exists.
  func integer(_ key: String, absent: Int? = nil) throws -> Int {
    switch self[key] {
    case .integer(let value): return value
    case nil: if let absent { return absent }
    default: break
    }
    throw error(key, expected: "a whole number")
  }

  /// The number at `key`, or `absent` when there is none; throws when neither exists.
  func number(_ key: String, absent: Double? = nil) throws -> Double {
    switch self[key] {
    case .integer(let value): return Double(value)
    case .number(let value): return value
    case nil: if let absent { return absent }
    default: break
    }
    throw error(key, expected: "a number")
  }

  func bool(_ key: String, absent: Bool) throws -> Bool {
    switch self[key] {
    case .bool(let value): return value
    case nil: return absent
    default: throw error(key, expected: "true or false")
    }
  }

  /// The string at `key`, or `absent` when there is none; throws when neither exists.
  func string(_ key: String, absent: String? = nil) throws -> String {
    switch self[key] {
    case .string(let value): return value
    case nil: if let absent { return absent }
    default: break
    }
    throw error(key, expected: "a string")
  }

  /// The object at `key`; nil when there is none.
  func object(_ key: String) throws -> JSONObject? {
    switch self[key] {
    case .object(let value):
      return JSONObject(file: file, prefix: "\(prefix)\(key).", values: value)
    case nil: return nil
    default: throw error(key, expected: "an object")
    }
  }

  /// All values, which are texts. Throws where one is not.
  func strings() throws -> [String: String] {
    try Dictionary(uniqueKeysWithValues: values.keys.map { ($0, try string($0)) })
  }

  /// The whole numbers at `key`, which holds one, a list of them, or nothing.
  func integers(_ key: String) throws -> [Int] {
    switch self[key] {
    case .integer(let value): return [value]
    case nil: return []
    case .array(let values):
      return try values.map { element in
        guard case .integer(let value) = element else {
          throw error(key, expected: "a list of whole numbers")
        }
        return value
      }
    default: throw error(key, expected: "a whole number or a list of them")
    }
  }
}

extension JSONValue: CustomStringConvertible {
  /// The start of the value's JSON text.
  var description: String {
    let text = (try? encoded(pretty: false)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return text.count > 80 ? text.prefix(80) + "…" : text
  }

  /// The value as JSON text, keys sorted so that equal values give equal bytes.
  func encoded(pretty: Bool) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    return Array(try encoder.encode(self))
  }
}
