import Files

extension TemplateInterpreter {
  /// What `receiver.name(arguments)` gives.
  func call(_ name: String, of receiver: TemplateValue, _ arguments: CallArguments)
    throws(FileError) -> TemplateValue
  {
    switch receiver {
    case .string(let text): return try call(name, ofText: text, arguments)
    case .dictionary(let dictionary): return try call(name, of: dictionary, arguments)
    case .list(let items), .tuple(let items):
      let values = try arguments.bound(["value"], required: 1, self)
      guard name == "index" || name == "count", let value = values[0] else { break }
      try charge(items.values.count, arguments.line)
      if name == "count" {
        var count = 0
        for item in items.values where try equals(item, value, arguments.line) { count += 1 }
        return .integer(count)
      }
      for (index, item) in items.values.enumerated() where try equals(item, value, arguments.line) {
        return .integer(index)
      }
      throw error(arguments.line, expected: "a list with the value", found: "one without it")
    case .loop(let state):
      if name == "changed" {
        let (before, now) = (state.changed, arguments.positional)
        state.changed = now
        return .bool(
          try before.map { before throws(FileError) in
            try equals(.list(before), .list(now), arguments.line)
          } != true)
      }
      guard !arguments.positional.isEmpty else {
        throw error(arguments.line, expected: "values to cycle through", found: "none")
      }
      return arguments.positional[state.index % arguments.positional.count]
    default: break
    }
    throw unsupported(name, receiver, arguments.line)
  }

  private func unsupported(_ name: String, _ receiver: TemplateValue, _ line: Int) -> FileError {
    error(
      line, expected: "a method that chat templates may call",
      found: "the method \"\(name)\" of \(receiver.typeName)")
  }

  // MARK: Dictionaries

  private func call(
    _ name: String, of dictionary: TemplateDictionary, _ arguments: CallArguments
  ) throws(FileError) -> TemplateValue {
    switch name {
    case "get":
      let values = try arguments.bound(["key", "default"], required: 1, self)
      try charge(dictionary.keys.count >> 2, arguments.line)
      return dictionary.value(try hashable(values[0] ?? .none, arguments.line)) ?? values[1]
        ?? .none
    case "items", "keys", "values", "copy":
      _ = try arguments.bound([], required: 0, self)
      try charge(dictionary.keys.count, arguments.line)
      switch name {
      case "items":
        return try bounded(.view(.items, TemplateItems(dictionary.pairs)), arguments.line)
      case "keys": return .view(.keys, TemplateItems(dictionary.keys))
      case "values": return .view(.values, TemplateItems(dictionary.values))
      default: return .dictionary(dictionary)
      }
    default: throw unsupported(name, .dictionary(dictionary), arguments.line)
    }
  }

  // MARK: Texts

  private func call(
    _ name: String, ofText text: [UInt8], _ arguments: CallArguments
  ) throws(FileError) -> TemplateValue {
    let line = arguments.line
    try charge(text.count, line)
    func none() throws(FileError) { _ = try arguments.bound([], required: 0, self) }
    /// The string at `index` of `values`; nil where it is absent or None.
    func string(_ values: [TemplateValue?], _ index: Int) throws(FileError) -> [UInt8]? {
      switch values[index] {
      case nil, .some(.none): return nil
      case let value?:
        guard let bytes = value.bytes else {
          throw error(line, expected: "a string for \"\(name)\"", found: value)
        }
        return bytes
      }
    }
    func required(_ values: [TemplateValue?], _ index: Int) throws(FileError) -> [UInt8] {
      guard let bytes = try string(values, index) else {
        throw error(line, expected: "a string for \"\(name)\"", found: values[index] ?? .none)
      }
      return bytes
    }
    func number(_ values: [TemplateValue?], _ index: Int, absent: Int) throws(FileError) -> Int {
      guard let value = values[index] else { return absent }
      guard let number = value.wholeNumber else {
        throw error(line, expected: "a whole number for \"\(name)\"", found: value)
      }
      return number
    }
    switch name {
    case "strip", "lstrip", "rstrip":
      let characters = try string(arguments.bound(["chars"], required: 0, self), 0)
      let side: PythonText.Side = name == "strip" ? .both : name == "lstrip" ? .left : .right
      return .string(PythonText.stripped(text, side, of: characters))
    case "startswith", "endswith":
      let values = try arguments.bound(["prefix", "start", "end"], required: 1, self)
      let part = try window(text, values[1], values[2], line)
      let candidates: [TemplateValue] =
        if case .tuple(let items)? = values[0] { items.values } else { [values[0] ?? .none] }
      for candidate in candidates {
        guard let bytes = candidate.bytes else {
          throw error(line, expected: "a string for \"\(name)\"", found: candidate)
        }
        if name == "startswith"
          ? part.starts(with: bytes) : part.suffix(bytes.count).elementsEqual(bytes)
        {
          return .bool(true)
        }
      }
      return .bool(false)
    case "split", "rsplit":
      let values = try arguments.bound(["sep", "maxsplit"], required: 0, self)
      let limit = try number(values, 1, absent: -1)
      let parts: [[UInt8]]
      if let separator = try string(values, 0) {
        guard !separator.isEmpty else {
          throw error(line, expected: "a separator", found: "an empty string")
        }
        parts = PythonText.split(text, by: separator, limit: limit, fromRight: name == "rsplit")
      } else {
        parts = PythonText.words(text, limit: limit, fromRight: name == "rsplit")
      }
      try charge(Self.itemCost * parts.count, line)
      return .list(parts.map(TemplateValue.string))
    case "splitlines":
      let keeps = try arguments.bound(["keepends"], required: 0, self)[0]?.isTrue ?? false
      let parts = PythonText.lines(text, keepsEnds: keeps)
      try charge(Self.itemCost * parts.count, line)
      return .list(parts.map(TemplateValue.string))
    case "partition", "rpartition":
      let separator = try required(arguments.bound(["sep"], required: 1, self), 0)
      guard !separator.isEmpty else {
        throw error(line, expected: "a separator", found: "an empty string")
      }
      let found =
        name == "partition"
        ? PythonText.firstIndex(of: separator, in: text)
        : PythonText.lastIndex(of: separator, in: text, before: text.count)
      guard let found else {
        let empty = TemplateValue.string([])
        return .tuple(
          name == "partition" ? [.string(text), empty, empty] : [empty, empty, .string(text)])
      }
      return .tuple([
        .string(Array(text[..<found])), .string(separator),
        .string(Array(text[(found + separator.count)...])),
      ])
    case "replace":
      let values = try arguments.bound(["old", "new", "count"], required: 2, self)
      return .string(
        try replacing(
          required(values, 0), with: required(values, 1), in: text,
          limit: number(values, 2, absent: -1), line))
    case "removeprefix":
      let prefix = try required(arguments.bound(["prefix"], required: 1, self), 0)
      return .string(text.starts(with: prefix) ? Array(text.dropFirst(prefix.count)) : text)
    case "removesuffix":
      let suffix = try required(arguments.bound(["suffix"], required: 1, self), 0)
      return .string(
        text.suffix(suffix.count).elementsEqual(suffix) ? Array(text.dropLast(suffix.count)) : text)
    case "find", "rfind", "index", "rindex", "count":
      let values = try arguments.bound(["sub", "start", "end"], required: 1, self)
      let part = try required(values, 0)
      guard values[1] == nil, values[2] == nil else {
        throw error(line, expected: "\"\(name)\" with one argument", found: "a start")
      }
      if name == "count" {
        guard !part.isEmpty else { return .integer(PythonText.count(text) + 1) }
        return .integer(PythonText.split(text, by: part, limit: -1, fromRight: false).count - 1)
      }
      let found =
        name.hasPrefix("r")
        ? PythonText.lastIndex(of: part, in: text, before: text.count)
        : PythonText.firstIndex(of: part, in: text)
      if let found { return .integer(PythonText.count(Array(text[..<found]))) }
      guard name.hasSuffix("find") else {
        throw error(line, expected: "a text with the part", found: "one without it")
      }
      return .integer(-1)
    case "join":
      let values = try arguments.bound(["iterable"], required: 1, self)
      var output: [UInt8] = []
      for (index, item) in try items(of: values[0] ?? .none, line).enumerated() {
        guard let bytes = item.bytes else {
          throw error(line, expected: "strings to join", found: item)
        }
        if index > 0 { output += text }
        try charge(bytes.count + text.count, line)
        output += bytes
      }
      return .string(output)
    case "format": return .string(try formatted(text, arguments))
    case "ljust", "rjust", "zfill":
      let values = try arguments.bound(["width", "fillchar"], required: 1, self)
      let fill = try string(values, 1) ?? [name == "zfill" ? UInt8(ascii: "0") : UInt8(ascii: " ")]
      let missing = try number(values, 0, absent: 0).subtractingReportingOverflow(
        PythonText.count(text)
      ).partialValue
      guard missing > 0 else { return .string(text) }
      try charge(min(missing, Self.maximumWork), line)
      let padding = (0..<missing).flatMap { _ in fill }
      if name == "ljust" { return .string(text + padding) }
      let sign =
        name == "zfill" && (text.first == UInt8(ascii: "-") || text.first == UInt8(ascii: "+"))
        ? 1 : 0
      return .string(text.prefix(sign) + padding + text.dropFirst(sign))
    default: break
    }
    try none()
    switch name {
    case "upper": return .string(PythonText.uppercased(text))
    case "lower": return .string(PythonText.lowercased(text))
    case "title": return .string(PythonText.titlecased(text))
    case "capitalize": return .string(PythonText.capitalized(text))
    case "isalpha": return .bool(PythonText.all(text, PythonText.isAlphabetic))
    case "isdecimal": return .bool(PythonText.all(text, PythonText.isDecimal))
    case "isdigit": return .bool(PythonText.all(text, PythonText.isDigit))
    case "isnumeric": return .bool(PythonText.all(text) { $0.properties.numericType != nil })
    case "isalnum":
      return .bool(
        PythonText.all(text) { PythonText.isAlphabetic($0) || $0.properties.numericType != nil })
    case "isspace": return .bool(PythonText.isAllSpace(text))
    case "isascii": return .bool(PythonText.isASCII(text))
    case "isupper": return .bool(PythonText.isAll(upper: true, text))
    case "islower": return .bool(PythonText.isAll(upper: false, text))
    default: throw unsupported(name, .string(text), line)
    }
  }

  /// `text.format(arguments)` with fields `{}`, `{0}` and `{name}` alone.
  private func formatted(_ text: [UInt8], _ arguments: CallArguments) throws(FileError) -> [UInt8] {
    var output: [UInt8] = []
    var (index, automatic) = (0, 0)
    while index < text.count {
      let byte = text[index]
      index += 1
      guard byte == UInt8(ascii: "{") || byte == UInt8(ascii: "}") else {
        output.append(byte)
        continue
      }
      if index < text.count, text[index] == byte {
        output.append(byte)
        index += 1
        continue
      }
      guard byte == UInt8(ascii: "{"), let end = text[index...].firstIndex(of: UInt8(ascii: "}"))
      else {
        throw error(arguments.line, expected: "fields in braces", found: "a single brace")
      }
      let field = String(decoding: text[index..<end], as: UTF8.self)
      index = end + 1
      let position = field.isEmpty ? automatic : Int(field)
      if field.isEmpty { automatic += 1 }
      let value: TemplateValue? =
        if let position {
          arguments.positional.indices.contains(position) ? arguments.positional[position] : nil
        } else {
          arguments.named.first { $0.name == field }?.value
        }
      guard let value else {
        throw error(
          arguments.line, expected: "fields with the number or name of an argument",
          found: "\"{\(field)}\"")
      }
      let bytes = try self.text(value, arguments.line)
      try charge(bytes.count, arguments.line)
      output += bytes
    }
    return output
  }

  /// What an item of a list costs beside its bytes.
  static let itemCost = 16

  func replacing(
    _ old: [UInt8], with new: [UInt8], in text: [UInt8], limit: Int, _ line: Int
  ) throws(FileError) -> [UInt8] {
    // Before it is made: each byte of the text may become a copy of `new`.
    let found =
      old.isEmpty
      ? text.count + 1 : PythonText.split(text, by: old, limit: -1, fromRight: false).count - 1
    let count = limit < 0 ? found : min(limit, found)
    let (made, overflows) = count.multipliedReportingOverflow(by: new.count)
    try charge(text.count + (overflows ? Self.maximumWork : min(made, Self.maximumWork)), line)
    return count == 0 ? text : PythonText.replacing(old, with: new, in: text, limit: limit)
  }

  /// `text[start:end]`.
  private func window(
    _ text: [UInt8], _ start: TemplateValue?, _ end: TemplateValue?, _ line: Int
  ) throws(FileError) -> [UInt8] {
    if start == nil, end == nil { return text }
    return try slice(.string(text), start?.wholeNumber, end?.wholeNumber, nil, line).bytes ?? []
  }

  // MARK: Functions

  func call(_ function: WellKnownName, _ arguments: CallArguments) throws(FileError)
    -> TemplateValue
  {
    let line = arguments.line
    switch function {
    case .raiseException:
      let message = try arguments.bound(["message"], required: 1, self)[0] ?? .none
      throw error(
        line, expected: "messages that the chat template accepts",
        found: "\"\(PythonText.string(try text(message, line)))\", which the template raises")
    case .strftimeNow:
      let format = try arguments.bound(["format"], required: 1, self)[0] ?? .none
      guard let bytes = format.bytes else { throw error(line, expected: "a format", found: format) }
      guard let text = date.formatted(PythonText.string(bytes)) else {
        throw error(
          line, expected: "a format of the directives %\(TemplateDate.directives)",
          found: "\"\(PythonText.string(bytes))\"")
      }
      return .text(text)
    case .range: return try range(arguments)
    case .dict, .namespace:
      var members: [(TemplateValue, TemplateValue)] = []
      guard arguments.positional.count <= 1 else {
        throw error(
          line, expected: "at most one argument without a name",
          found: "\(arguments.positional.count)")
      }
      switch arguments.positional.first {
      case nil: break
      case .dictionary(let dictionary): members = Array(zip(dictionary.keys, dictionary.values))
      case let value?:
        for item in try items(of: value, line) {
          let pair = try items(of: item, line)
          guard pair.count == 2 else {
            throw error(line, expected: "pairs of key and value", found: item)
          }
          members.append((try hashable(pair[0], line), pair[1]))
        }
      }
      for (name, value) in arguments.named { members.append((.text(name), value)) }
      if function == .namespace {
        let namespace = TemplateNamespace()
        for (name, value) in members { try set(name, of: namespace, to: value, line) }
        return .namespace(namespace)
      }
      var dictionary = TemplateDictionary()
      for (name, value) in members {
        try charge(dictionary.keys.count >> 2, line)
        dictionary.set(name, value)
      }
      return try bounded(.dictionary(dictionary), line)
    default: throw error(line, expected: "a function to call", found: "\"\(function.rawValue)\"")
    }
  }

  /// The longest range, as in Jinja2's sandbox.
  private static let longestRange = 100_000

  private func range(_ arguments: CallArguments) throws(FileError) -> TemplateValue {
    let line = arguments.line
    var numbers: [Int] = []
    for value in arguments.positional {
      guard let number = value.wholeNumber else {
        throw error(line, expected: "whole numbers for \"range\"", found: value)
      }
      numbers.append(number)
    }
    guard (1...3).contains(numbers.count), arguments.named.isEmpty else {
      throw error(line, expected: "1 to 3 numbers for \"range\"", found: "\(numbers.count)")
    }
    let (start, stop) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
    let step = numbers.count == 3 ? numbers[2] : 1
    guard step != 0 else { throw error(line, expected: "a step other than 0", found: "0") }
    let distance = Double(stop) - Double(start)
    guard distance / Double(step) <= Double(Self.longestRange), abs(Double(step)) < 1e15,
      abs(Double(start)) < 1e15,
      abs(Double(stop)) < 1e15
    else {
      throw error(line, expected: "a range of at most \(Self.longestRange)", found: "a longer one")
    }
    let text = step == 1 ? "range(\(start), \(stop))" : "range(\(start), \(stop), \(step))"
    return .range(stride(from: start, to: stop, by: step), text: text)
  }
}
