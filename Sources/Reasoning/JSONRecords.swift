import Foundation

/// One JSON object of a data file, that knows where it stands so that its errors can say so.
package struct JSONRecord {
  package let file: String
  package let place: String
  private let fields: [String: Any]

  /// The objects of a JSON-lines file, one a line; blank lines are passed over.
  ///
  /// Throws a `DataError` that names the line where one is no JSON object.
  package static func lines(of file: String) throws -> [JSONRecord] {
    let data = try contents(of: file)
    return try data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .enumerated()
      .compactMap { number, line in
        if line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) { return nil }
        return try JSONRecord(file: file, place: "line \(number + 1)", json: line)
      }
  }

  /// The one object that makes up a JSON file.
  package static func object(of file: String) throws -> JSONRecord {
    try JSONRecord(file: file, place: "top level", json: contents(of: file))
  }

  /// The objects of a JSON file that is one array.
  package static func array(of file: String, each: String) throws -> [JSONRecord] {
    try records(
      in: parse(contents(of: file), file: file, place: "top level"), file: file, at: "top level",
      each: each)
  }

  /// The objects in the array at `key`, each placed as `each` and its number, from 0.
  package func records(_ key: String, each: String) throws -> [JSONRecord] {
    guard let value = fields[key] else { throw missing(key, expected: "an array") }
    return try Self.records(in: value, file: file, at: "\"\(key)\"", each: each)
  }

  /// The object at `key`; nil where there is none.
  package func record(_ key: String) throws -> JSONRecord? {
    guard let value = fields[key] else { return nil }
    guard let value = value as? [String: Any] else {
      throw wrong(key, expected: "an object", found: value)
    }
    return JSONRecord(file: file, place: "\(place), \"\(key)\"", fields: value)
  }

  /// The text at `key`.
  package func string(_ key: String) throws -> String {
    guard let value = fields[key] else { throw missing(key, expected: "a string") }
    guard let value = value as? String else { throw wrong(key, expected: "a string", found: value) }
    return value
  }

  /// The text at `key`, which must hold more than white space.
  package func filledString(_ key: String) throws -> String {
    let value = try string(key)
    guard value.contains(where: { !$0.isWhitespace }) else {
      throw DataError(
        file: file, place: place, expected: "a \"\(key)\" with text in it",
        found: value.isEmpty ? "\"\"" : "only space")
    }
    return value
  }

  /// The text at `key`; nil where the field is absent or null.
  package func optionalString(_ key: String) throws -> String? {
    guard let value = fields[key], !(value is NSNull) else { return nil }
    guard let value = value as? String else {
      throw wrong(key, expected: "a string or null", found: value)
    }
    return value
  }

  /// The text or whole number at `key`, as text; nil where the field is absent or null.
  package func optionalIdentifier(_ key: String) throws -> String? {
    guard let value = fields[key], !(value is NSNull) else { return nil }
    if let value = value as? String { return value }
    guard let value = value as? NSNumber, !isBool(value),
      value.doubleValue == value.doubleValue.rounded()
    else {
      throw wrong(key, expected: "a string or a whole number", found: value)
    }
    return value.stringValue
  }

  /// The whole number at `key`; nil where the field is absent or null.
  package func optionalInteger(_ key: String) throws -> Int? {
    guard let value = fields[key], !(value is NSNull) else { return nil }
    guard let number = value as? NSNumber, !isBool(number),
      let whole = Int(exactly: number.doubleValue)
    else {
      throw wrong(key, expected: "a whole number", found: value)
    }
    return whole
  }

  /// The truth value at `key`; nil where the field is absent or null.
  package func optionalBool(_ key: String) throws -> Bool? {
    if fields[key] == nil || fields[key] is NSNull { return nil }
    return try bool(key)
  }

  /// The truth value at `key`.
  package func bool(_ key: String) throws -> Bool {
    guard let value = fields[key] else { throw missing(key, expected: "true or false") }
    guard let number = value as? NSNumber, isBool(number) else {
      throw wrong(key, expected: "true or false", found: value)
    }
    return number.boolValue
  }

  /// The texts in the array at `key`; none where the field is absent or null.
  package func strings(_ key: String) throws -> [String] {
    guard let value = fields[key], !(value is NSNull) else { return [] }
    guard let value = value as? [String] else {
      throw wrong(key, expected: "an array of strings", found: value)
    }
    return value
  }

  /// The numbers in the array at `key`; nil where the field is absent or null.
  func optionalNumbers(_ key: String) throws -> [Float]? {
    guard let value = fields[key], !(value is NSNull) else { return nil }
    let numbers = (value as? [Any])?.map { $0 as? NSNumber } ?? [nil]
    return try numbers.map { number in
      guard let number, !isBool(number) else {
        throw wrong(key, expected: "an array of numbers", found: value)
      }
      return number.floatValue
    }
  }

  /// The value at `key` read as one of `Value`'s raw values; nil where the field is absent or null.
  package func choice<Value: RawRepresentable & CaseIterable>(_ key: String, of: Value.Type) throws
    -> Value?
  where Value.RawValue == String {
    guard let text = try optionalString(key) else { return nil }
    guard let value = Value(rawValue: text) else {
      let allowed = Value.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
      throw DataError(
        file: file, place: place, expected: "\"\(key)\" to be one of \(allowed)",
        found: "\"\(text)\"")
    }
    return value
  }

  /// Whether the value at `key` is an array.
  package func isArray(_ key: String) -> Bool { fields[key] is [Any] }

  private init(file: String, place: String, fields: [String: Any]) {
    self.file = file
    self.place = place
    self.fields = fields
  }

  private init(file: String, place: String, json: Data) throws {
    let value = try Self.parse(json, file: file, place: place)
    guard let fields = value as? [String: Any] else {
      throw DataError(
        file: file, place: place, expected: "a JSON object", found: Self.name(of: value))
    }
    self.init(file: file, place: place, fields: fields)
  }

  private static func records(in value: Any, file: String, at place: String, each: String) throws
    -> [JSONRecord]
  {
    guard let values = value as? [Any] else {
      throw DataError(file: file, place: place, expected: "an array", found: name(of: value))
    }
    return try values.enumerated().map { number, value in
      let place = "\(each) \(number)"
      guard let fields = value as? [String: Any] else {
        throw DataError(file: file, place: place, expected: "an object", found: name(of: value))
      }
      return JSONRecord(file: file, place: place, fields: fields)
    }
  }

  private static func contents(of file: String) throws -> Data {
    // A handle reads pipes too.
    let handle =
      file == "/dev/stdin" ? FileHandle.standardInput : FileHandle(forReadingAtPath: file)
    if let handle, let data = try? handle.readToEnd() ?? Data() {
      return data
    } else {
      let there = FileManager.default.fileExists(atPath: file)
      throw DataError(
        file: file, place: nil, expected: "a readable file",
        found: there ? "one that cannot be read" : "no such file")
    }
  }

  private static func parse(_ json: Data, file: String, place: String) throws -> Any {
    do {
      return try JSONSerialization.jsonObject(with: json, options: .fragmentsAllowed)
    } catch {
      let start = String(decoding: json.prefix(40), as: UTF8.self)
      throw DataError(
        file: file, place: place, expected: "valid JSON",
        found: "\"\(start)\"\(json.count > 40 ? "…" : "")")
    }
  }

  private func missing(_ key: String, expected: String) -> DataError {
    DataError(
      file: file, place: place, expected: "the field \"\(key)\" (\(expected))",
      found: "only \(fields.keys.sorted().map { "\"\($0)\"" }.joined(separator: ", "))")
  }

  private func wrong(_ key: String, expected: String, found: Any) -> DataError {
    DataError(
      file: file, place: place, expected: "\"\(key)\" to be \(expected)",
      found: Self.name(of: found))
  }

  private func isBool(_ number: NSNumber) -> Bool {
    // JSON's true and false are kept as the C type `char`, its numbers never are.
    String(cString: number.objCType) == "c"
  }

  private static func name(of value: Any) -> String {
    switch value {
    case is NSNull: "null"
    case let text as String: "the string \"\(text.prefix(40))\""
    case is [Any]: "an array"
    case is [String: Any]: "an object"
    default: "\(value)"
    }
  }
}
