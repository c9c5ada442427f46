import Files

/// The filters of chat templates.
enum TemplateFilter: Sendable, Hashable {
  case abs, attribute, capitalize, defaultValue, dictionarySort, escape, first, float, indent,
    integer, items, join
  case last, length, list, lower, map, max, min, reject, rejectAttribute, replace, reverse, safe,
    select
  case selectAttribute, sort, string, sum, title, toJSON, trim, unique, upper
  /// One that is not here, in a branch that need not be taken.
  case unknown(String)

  init?(named name: String) {
    guard let filter = Self.byName[name] else { return nil }
    self = filter
  }

  private static let byName: [String: TemplateFilter] = [
    "abs": .abs, "attr": .attribute, "capitalize": .capitalize, "count": .length,
    "d": .defaultValue,
    "default": .defaultValue, "dictsort": .dictionarySort, "e": .escape, "escape": .escape,
    "first": .first,
    "float": .float, "indent": .indent, "int": .integer, "items": .items, "join": .join,
    "last": .last,
    "length": .length, "list": .list, "lower": .lower, "map": .map, "max": .max, "min": .min,
    "reject": .reject,
    "rejectattr": .rejectAttribute, "replace": .replace, "reverse": .reverse, "safe": .safe,
    "select": .select,
    "selectattr": .selectAttribute, "sort": .sort, "string": .string, "sum": .sum, "title": .title,
    "tojson": .toJSON, "trim": .trim, "unique": .unique, "upper": .upper,
  ]

  /// How messages name it.
  var name: String {
    switch self {
    case .attribute: "attr"
    case .defaultValue: "default"
    case .dictionarySort: "dictsort"
    case .integer: "int"
    case .rejectAttribute: "rejectattr"
    case .selectAttribute: "selectattr"
    case .toJSON: "tojson"
    case .unknown(let name): name
    default: "\(self)"
    }
  }

  static func unknown(_ name: String, file: String, line: Int) -> FileError {
    FileError(
      file: file, location: "line \(line)", expected: "one of the filters of chat templates",
      found: "the filter \"\(name)\"")
  }
}

extension TemplateInterpreter {
  /// `value | filter(arguments)`.
  ///
  /// Source: https://github.com/pallets/jinja/blob/3.1.6/src/jinja2/filters.py, and for `tojson`
  /// `transformers.utils.chat_template_utils`.
  func apply(
    _ filter: TemplateFilter, to value: TemplateValue, _ arguments: CallArguments
  ) throws(FileError) -> TemplateValue {
    switch filter {
    case .capitalize, .escape, .indent, .lower, .replace, .safe, .string, .title, .toJSON, .trim,
      .upper, .join:
      return try applyToText(filter, value, arguments)
    case .unknown(let name):
      throw TemplateFilter.unknown(name, file: template.file, line: arguments.line)
    case .map, .select, .reject, .selectAttribute, .rejectAttribute:
      return try .iterator(TemplateIterator(each(filter, value, arguments)))
    default: return try applyToItems(filter, value, arguments)
    }
  }

  private func number(_ value: TemplateValue?, absent: Int, _ arguments: CallArguments)
    throws(FileError) -> Int
  {
    guard let value else { return absent }
    guard let number = value.wholeNumber else {
      throw error(
        arguments.line, expected: "a whole number for \"\(arguments.callee)\"", found: value)
    }
    return number
  }

  // MARK: Texts

  private func applyToText(
    _ filter: TemplateFilter, _ value: TemplateValue, _ arguments: CallArguments
  ) throws(FileError) -> TemplateValue {
    let line = arguments.line
    func string(_ value: TemplateValue?, absent: String) throws(FileError) -> [UInt8] {
      guard let value else { return Array(absent.utf8) }
      return try self.text(value, line)
    }
    switch filter {
    case .trim:
      let characters = try arguments.bound(["chars"], required: 0, self)[0]
      let text = try self.text(value, line)
      try charge(text.count, line)
      if case .some(.none) = characters { return .string(PythonText.stripped(text)) }
      return .string(
        PythonText.stripped(
          text,
          of: try characters.map { value throws(FileError) in
            try self.text(value, line)
          }))
    case .join:
      let values = try arguments.bound(["d", "attribute"], required: 0, self)
      let separator = try string(values[0], absent: "")
      var output: [UInt8] = []
      for (index, item) in try items(of: value, line).enumerated() {
        let item =
          try values[1].map { name throws(FileError) in try part(name, of: item, line) } ?? item
        if index > 0 { output += separator }
        let bytes = try self.text(item, line)
        try charge(bytes.count + separator.count, line)
        output += bytes
      }
      return .string(output)
    case .replace:
      let values = try arguments.bound(["old", "new", "count"], required: 2, self)
      let limit: Int =
        if case .some(.none) = values[2] { -1 } else {
          try number(values[2], absent: -1, arguments)
        }
      return .string(
        try replacing(
          string(values[0], absent: ""), with: string(values[1], absent: ""),
          in: self.text(value, line), limit: limit,
          line))
    case .indent: return try indented(value, arguments)
    case .toJSON:
      let values = try arguments.bound(
        ["ensure_ascii", "indent", "separators", "sort_keys"], required: 0, self)
      return .string(try json(value, values, line))
    default: break
    }
    _ = try arguments.bound([], required: 0, self)
    if case .escape = filter {
      return .markup(
        value.bytes == nil ? Self.escaped(try self.text(value, line)) : Self.escaped(value))
    }
    let text = try self.text(value, line)
    try charge(text.count, line)
    switch filter {
    case .safe: return .markup(text)
    case .string: if case .markup = value { return value } else { return .string(text) }
    case .upper: return .string(PythonText.uppercased(text))
    case .lower: return .string(PythonText.lowercased(text))
    case .title: return .string(PythonText.titleFilter(text))
    default: return .string(PythonText.capitalized(text))
    }
  }

  private func indented(_ value: TemplateValue, _ arguments: CallArguments) throws(FileError)
    -> TemplateValue
  {
    let values = try arguments.bound(["width", "first", "blank"], required: 0, self)
    let indention: [UInt8]
    if let bytes = values[0]?.bytes {
      indention = bytes
    } else {
      let width = try number(values[0], absent: 4, arguments)
      try charge(Swift.min(Swift.max(0, width), Self.maximumWork), arguments.line)
      indention = [UInt8](repeating: UInt8(ascii: " "), count: Swift.max(0, width))
    }
    guard let text = value.bytes else {
      throw error(arguments.line, expected: "a string to indent", found: value)
    }
    let indentsBlank = values[2]?.isTrue ?? false
    var output = values[1]?.isTrue == true ? indention : []
    for (index, line) in PythonText.lines(text + [10]).enumerated() {
      if index > 0 {
        output.append(10)
        if indentsBlank || !line.isEmpty { output += indention }
      }
      try charge(line.count + indention.count, arguments.line)
      output += line
    }
    return .string(output)
  }

  // MARK: Lists and numbers

  private func applyToItems(
    _ filter: TemplateFilter, _ value: TemplateValue, _ arguments: CallArguments
  ) throws(FileError) -> TemplateValue {
    let line = arguments.line
    switch filter {
    case .defaultValue:
      let values = try arguments.bound(["default_value", "boolean"], required: 0, self)
      let isMissing = value.isUndefined || values[1]?.isTrue == true && !value.isTrue
      return isMissing ? values[0] ?? .string([]) : value
    case .integer: return try wholeNumber(value, arguments)
    case .float:
      let fallback = try arguments.bound(["default"], required: 0, self)[0] ?? .float(0)
      if let number = value.number { return .float(number) }
      if value.isUndefined { throw error(line, expected: "a number", found: value) }
      guard let bytes = value.bytes else { return fallback }
      return Self.float(bytes).map(TemplateValue.float) ?? fallback
    case .attribute:
      let name = try arguments.bound(["name"], required: 1, self)[0] ?? .none
      guard case .namespace = value, let bytes = name.bytes else {
        if case .dictionary = value {
          return .undefined(.attribute(of: value.typeName, name.bytes ?? []))
        }
        throw error(line, expected: "a namespace for \"attr\"", found: value)
      }
      return try attribute(AttributeName(PythonText.string(bytes)), of: value, line)
    case .sort:
      let values = try arguments.bound(
        ["reverse", "case_sensitive", "attribute"], required: 0, self)
      return .list(
        try sorted(
          items(of: value, line), reverse: values[0]?.isTrue ?? false,
          caseSensitive: values[1]?.isTrue ?? false,
          attribute: values[2], line))
    case .dictionarySort:
      let values = try arguments.bound(["case_sensitive", "by", "reverse"], required: 0, self)
      guard case .dictionary(let dictionary) = value else {
        throw error(line, expected: "a dict to sort", found: value)
      }
      let by = values[1]?.bytes.map(PythonText.string) ?? "key"
      guard by == "key" || by == "value" else {
        throw error(line, expected: "\"key\" or \"value\" to sort by", found: "\"\(by)\"")
      }
      return .list(
        try sorted(
          dictionary.pairs, reverse: values[2]?.isTrue ?? false,
          caseSensitive: values[0]?.isTrue ?? false,
          attribute: .integer(by == "key" ? 0 : 1), line))
    case .unique, .min, .max:
      let values = try arguments.bound(["case_sensitive", "attribute"], required: 0, self)
      return try extreme(
        filter, value, caseSensitive: values[0]?.isTrue ?? false, attribute: values[1], line)
    case .sum:
      let values = try arguments.bound(["attribute", "start"], required: 0, self)
      var total = values[1] ?? .integer(0)
      for item in try items(of: value, line) {
        var item = item
        if let name = values[0] { item = try part(name, of: item, line) }
        total = try compute(.add, total, item, line)
      }
      return total
    default: break
    }
    _ = try arguments.bound([], required: 0, self)
    switch filter {
    case .length: return .integer(try count(of: value, line))
    case .list: return .list(try items(of: value, line))
    case .first:
      if case .iterator(let iterator) = value {
        return iterator.next() ?? .undefined(.other("the first of no items"))
      }
      return try items(of: value, line).first ?? .undefined(.other("the first of no items"))
    case .last:
      if case .iterator = value { throw error(line, expected: "a list for \"last\"", found: value) }
      return try items(of: value, line).last ?? .undefined(.other("the last of no items"))
    case .reverse:
      if let text = value.bytes {
        return .string(PythonText.characters(text).reversed().flatMap(\.self))
      }
      return .iterator(TemplateIterator(try items(of: value, line).reversed()))
    case .items:
      switch value {
      case .undefined: return .iterator(TemplateIterator([]))
      case .dictionary(let dictionary):
        try charge(dictionary.keys.count, line)
        return try bounded(.iterator(TemplateIterator(dictionary.pairs)), line)
      default: throw error(line, expected: "a dict for \"items\"", found: value)
      }
    default:
      switch value {
      case .integer(let number) where number > Int.min: return .integer(Swift.abs(number))
      case .bool: return .integer(value.wholeNumber ?? 0)
      case .float(let number): return .float(Swift.abs(number))
      default: throw error(line, expected: "a number for \"abs\"", found: value)
      }
    }
  }

  private func wholeNumber(_ value: TemplateValue, _ arguments: CallArguments) throws(FileError)
    -> TemplateValue
  {
    let values = try arguments.bound(["default", "base"], required: 0, self)
    let base = try number(values[1], absent: 10, arguments)
    guard base == 10 else {
      throw error(arguments.line, expected: "the base 10", found: "\(base)")
    }
    let fallback = values[0] ?? .integer(0)
    if let number = value.wholeNumber { return .integer(number) }
    if value.isUndefined { throw error(arguments.line, expected: "a number", found: value) }
    if let bytes = value.bytes, let text = Self.numeral(bytes), let number = Int(text) {
      return .integer(number)
    }
    guard let number = value.number ?? value.bytes.flatMap(Self.float), number.isFinite else {
      return fallback
    }
    guard let whole = Int(exactly: number.rounded(.towardZero)) else {
      throw error(arguments.line, expected: "a whole number of 64 bits", found: "\(number)")
    }
    return .integer(whole)
  }

  /// The text of a number as Python's `int` and `float` read it: without white space around it, and with single "_"
  /// between digits.
  private static func numeral(_ text: [UInt8]) -> String? {
    let text = PythonText.stripped(text)
    func isDigit(_ index: Int) -> Bool {
      text.indices.contains(index) && (0x30...0x39).contains(text[index])
    }
    for (index, byte) in text.enumerated() where byte == UInt8(ascii: "_") {
      guard isDigit(index - 1), isDigit(index + 1) else { return nil }
    }
    return PythonText.string(text.filter { $0 != UInt8(ascii: "_") })
  }

  private static func float(_ text: [UInt8]) -> Double? {
    guard let numeral = numeral(text), !numeral.lowercased().contains("x") else { return nil }
    return Double(numeral)
  }

  /// What sorting and comparing go by: the value at `attribute`, in lower case unless `caseSensitive`.
  private func key(
    _ item: TemplateValue, caseSensitive: Bool, attribute: TemplateValue?, _ line: Int
  ) throws(FileError) -> TemplateValue {
    var key = item
    if let attribute, case .none = attribute {
    } else if let attribute {
      key = try part(attribute, of: item, line)
    }
    guard !caseSensitive, let bytes = key.bytes else { return key }
    return .string(PythonText.lowercased(bytes))
  }

  private func sorted(
    _ items: [TemplateValue], reverse: Bool, caseSensitive: Bool, attribute: TemplateValue?,
    _ line: Int
  ) throws(FileError) -> [TemplateValue] {
    var keyed: [(key: TemplateValue, item: TemplateValue)] = []
    for item in items {
      keyed.append((try key(item, caseSensitive: caseSensitive, attribute: attribute, line), item))
    }
    try charge(items.count * (64 - items.count.leadingZeroBitCount) * Self.itemCost, line)
    // Stable in both directions, as in Python. The standard library's sort is; typed throws do not go through it.
    var failure: FileError?
    keyed.sort { left, right in
      if failure != nil { return false }
      do throws(FileError) {
        return try reverse
          ? isLess(right.key, left.key, orEqual: false, line)
          : isLess(left.key, right.key, orEqual: false, line)
      } catch {
        failure = error
        return false
      }
    }
    if let failure { throw failure }
    return keyed.map(\.item)
  }

  private func extreme(
    _ filter: TemplateFilter, _ value: TemplateValue, caseSensitive: Bool,
    attribute: TemplateValue?, _ line: Int
  ) throws(FileError) -> TemplateValue {
    var kept: [(key: TemplateValue, item: TemplateValue)] = []
    for item in try items(of: value, line) {
      let key = try key(item, caseSensitive: caseSensitive, attribute: attribute, line)
      switch filter {
      case .unique:
        try charge(kept.count + key.size, line)
        if !kept.contains(where: { $0.key.equals(key) }) { kept.append((key, item)) }
      default:
        guard let best = kept.first else {
          kept = [(key, item)]
          continue
        }
        let isBetter =
          filter == .min
          ? try isLess(key, best.key, orEqual: false, line)
          : try isLess(best.key, key, orEqual: false, line)
        if isBetter { kept = [(key, item)] }
      }
    }
    if filter == .unique { return .iterator(TemplateIterator(kept.map(\.item))) }
    return kept.first?.item
      ?? .undefined(.other("the \(filter == .min ? "least" : "greatest") of no items"))
  }

  // MARK: Each item

  /// The value at `path` ("a.b", an index) of `item`.
  private func part(_ path: TemplateValue, of value: TemplateValue, _ line: Int) throws(FileError)
    -> TemplateValue
  {
    if path.wholeNumber != nil { return try item(path, of: value, line) }
    guard let bytes = path.bytes else {
      throw error(line, expected: "the name of an attribute", found: path)
    }
    var value = value
    for name in PythonText.split(bytes, by: [UInt8(ascii: ".")], limit: -1, fromRight: false) {
      let index =
        name.allSatisfy { (0x30...0x39).contains($0) } ? Int(PythonText.string(name)) : nil
      value = try item(index.map(TemplateValue.integer) ?? .string(name), of: value, line)
    }
    return value
  }

  private func each(
    _ filter: TemplateFilter, _ value: TemplateValue, _ arguments: CallArguments
  ) throws(FileError) -> [TemplateValue] {
    let line = arguments.line
    // As in Jinja2, none and other false values have no items.
    guard value.isTrue else { return [] }
    var rest = arguments
    if case .map = filter, arguments.positional.isEmpty {
      let values = try arguments.bound(["attribute", "default"], required: 1, self)
      var mapped: [TemplateValue] = []
      for item in try items(of: value, line) {
        let found = try part(values[0] ?? .none, of: item, line)
        mapped.append(found.isUndefined ? values[1] ?? found : found)
      }
      return mapped
    }
    var attribute: TemplateValue?
    if filter == .selectAttribute || filter == .rejectAttribute {
      guard !rest.positional.isEmpty else {
        throw error(
          line, expected: "the name of an attribute for \"\(filter.name)\"", found: "none")
      }
      attribute = rest.positional.removeFirst()
    }
    var name: String?
    if !rest.positional.isEmpty {
      let value = rest.positional.removeFirst()
      guard let bytes = value.bytes else {
        throw error(
          line, expected: "the name of a filter or test for \"\(filter.name)\"", found: value)
      }
      name = PythonText.string(bytes)
    }
    rest.callee = name ?? filter.name
    var kept: [TemplateValue] = []
    if case .map = filter {
      guard let mapping = name.flatMap(TemplateFilter.init) else {
        throw TemplateFilter.unknown(name ?? "", file: template.file, line: line)
      }
      for item in try items(of: value, line) { kept.append(try apply(mapping, to: item, rest)) }
      return kept
    }
    var test: TemplateTest?
    if let name {
      test = TemplateTest(named: name)
      guard test != nil else {
        throw TemplateTest.unknown(name, file: template.file, line: line)
      }
    }
    let keeps = filter == .select || filter == .selectAttribute
    for item in try items(of: value, line) {
      let tested =
        try attribute.map { name throws(FileError) in try part(name, of: item, line) } ?? item
      let holds =
        try test.map { test throws(FileError) in try self.holds(test, tested, rest) }
        ?? tested.isTrue
      try charge(Self.itemCost, line)
      if holds == keeps { kept.append(item) }
    }
    return kept
  }

  // MARK: JSON

  /// `json.dumps(value, ensure_ascii=…, indent=…, separators=…, sort_keys=…)`.
  private func json(_ value: TemplateValue, _ options: [TemplateValue?], _ line: Int)
    throws(FileError) -> [UInt8]
  {
    var writer = JSONTextWriter(interpreter: self, line: line)
    writer.escapesNonASCII = options[0]?.isTrue ?? false
    switch options[1] {
    case nil, .some(.none): break
    case let indent?:
      if let bytes = indent.bytes {
        writer.indent = bytes
      } else if let width = indent.wholeNumber {
        try charge(Swift.min(Swift.max(0, width), Self.maximumWork), line)
        writer.indent = [UInt8](repeating: UInt8(ascii: " "), count: Swift.max(0, width))
      } else {
        throw error(line, expected: "a whole number or a string as \"indent\"", found: indent)
      }
      writer.itemSeparator = Array(",".utf8)
    }
    switch options[2] {
    case nil, .some(.none): break
    case let separators?:
      let pair = try items(of: separators, line)
      guard pair.count == 2, let item = pair[0].bytes, let key = pair[1].bytes else {
        throw error(line, expected: "two strings as \"separators\"", found: separators)
      }
      (writer.itemSeparator, writer.keySeparator) = (item, key)
    }
    writer.sortsKeys = options[3]?.isTrue ?? false
    try writer.write(value, level: 0)
    return writer.output
  }
}

/// Writes JSON as Python's `json.dumps` does.
private struct JSONTextWriter {
  let interpreter: TemplateInterpreter
  let line: Int
  var escapesNonASCII = false
  var sortsKeys = false
  var indent: [UInt8]?
  var itemSeparator = Array(", ".utf8)
  var keySeparator = Array(": ".utf8)
  var output: [UInt8] = []

  init(interpreter: TemplateInterpreter, line: Int) {
    (self.interpreter, self.line) = (interpreter, line)
  }

  mutating func write(_ value: TemplateValue, level: Int) throws(FileError) {
    switch value {
    case .none: output += Array("null".utf8)
    case .bool(let value): output += Array((value ? "true" : "false").utf8)
    case .integer(let value): output += Array("\(value)".utf8)
    case .float(let value): output += Array(Self.text(value).utf8)
    case .string(let text), .markup(let text):
      try interpreter.charge(text.count, line)
      quote(text)
    case .list(let items), .tuple(let items):
      output.append(UInt8(ascii: "["))
      for (index, value) in items.values.enumerated() {
        try beginItem(index, level + 1)
        try write(value, level: level + 1)
      }
      try end(items.values.isEmpty, level, "]")
    case .dictionary(let dictionary):
      output.append(UInt8(ascii: "{"))
      var members = try zip(dictionary.keys, dictionary.values).map {
        key, value throws(FileError) in
        (key: try self.key(key), value: value)
      }
      if sortsKeys { members.sort { $0.key.lexicographicallyPrecedes($1.key) } }
      for (index, (key, value)) in members.enumerated() {
        try beginItem(index, level + 1)
        quote(key)
        output += keySeparator
        try write(value, level: level + 1)
      }
      try end(members.isEmpty, level, "}")
    default: throw interpreter.error(line, expected: "a value that JSON has", found: value)
    }
    try interpreter.charge(8, line)
  }

  private func key(_ key: TemplateValue) throws(FileError) -> [UInt8] {
    switch key {
    case .string(let text), .markup(let text): return text
    case .none: return Array("null".utf8)
    case .bool(let value): return Array((value ? "true" : "false").utf8)
    case .integer(let value): return Array("\(value)".utf8)
    case .float(let value): return Array(Self.text(value).utf8)
    default: throw interpreter.error(line, expected: "a key that JSON has", found: key)
    }
  }

  private static func text(_ value: Double) -> String {
    value.isNaN
      ? "NaN"
      : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : PythonText.representation(value)
  }

  private mutating func breakLine(_ level: Int) throws(FileError) {
    guard let indent else { return }
    try interpreter.charge(indent.count * level, line)
    output.append(10)
    for _ in 0..<level { output += indent }
  }

  private mutating func beginItem(_ index: Int, _ level: Int) throws(FileError) {
    try interpreter.charge(itemSeparator.count + keySeparator.count, line)
    if index > 0 { output += itemSeparator }
    try breakLine(level)
  }

  private mutating func end(_ isEmpty: Bool, _ level: Int, _ mark: String) throws(FileError) {
    if !isEmpty { try breakLine(level) }
    output += Array(mark.utf8)
  }

  private mutating func quote(_ text: [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for scalar in PythonText.string(text).unicodeScalars {
      switch scalar {
      case "\"": output += Array("\\\"".utf8)
      case "\\": output += Array("\\\\".utf8)
      case "\n": output += Array("\\n".utf8)
      case "\r": output += Array("\\r".utf8)
      case "\t": output += Array("\\t".utf8)
      case "\u{8}": output += Array("\\b".utf8)
      case "\u{C}": output += Array("\\f".utf8)
      case "\u{0}"..<"\u{20}": escape(UInt16(scalar.value))
      default:
        if escapesNonASCII, scalar.value > 0x7E {
          if scalar.value == 0x7F {
            output.append(0x7F)
          } else {
            for unit in String(scalar).utf16 { escape(unit) }
          }
        } else {
          output += Array(String(scalar).utf8)
        }
      }
    }
    output.append(UInt8(ascii: "\""))
  }

  private mutating func escape(_ unit: UInt16) {
    let digits = String(unit, radix: 16)
    output += Array(("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).utf8)
  }
}
