import Files

extension TemplateInterpreter {
  // MARK: Iteration

  /// The items that a loop over `value` takes.
  func items(of value: TemplateValue, _ line: Int) throws(FileError) -> [TemplateValue] {
    switch value {
    case .undefined: return []
    case .list(let items), .tuple(let items), .view(_, let items): return items.values
    case .dictionary(let dictionary): return dictionary.keys
    case .iterator(let iterator): return iterator.takeAll()
    case .string(let text), .markup(let text):
      try charge(text.count, line)
      return PythonText.characters(text).map(TemplateValue.string)
    case .range(let range, _): return range.map(TemplateValue.integer)
    default: throw error(line, expected: "something to iterate over", found: value)
    }
  }

  /// `len(value)`.
  func count(of value: TemplateValue, _ line: Int) throws(FileError) -> Int {
    switch value {
    case .undefined: return 0
    case .list(let items), .tuple(let items), .view(_, let items): return items.values.count
    case .dictionary(let dictionary): return dictionary.keys.count
    case .string(let text), .markup(let text): return PythonText.count(text)
    case .range(let range, _): return range.underestimatedCount
    case .loop(let state): return state.items.count
    default: throw error(line, expected: "something that has a length", found: value)
    }
  }

  // MARK: Access

  func attribute(_ name: AttributeName, of base: TemplateValue, _ line: Int) throws(FileError)
    -> TemplateValue
  {
    switch base {
    case .undefined:
      throw error(line, expected: "a value that may have \"\(name.text)\"", found: base)
    case .dictionary(let dictionary):
      if name.isDictionaryMethod { return .method(BoundMethod(base, name.text)) }
      try charge(dictionary.keys.count >> 2, line)
      if let value = dictionary.value(name.bytes) { return value }
    case .string, .markup: if name.isStringMethod { return .method(BoundMethod(base, name.text)) }
    case .list: if name.isListMethod { return .method(BoundMethod(base, name.text)) }
    case .tuple:
      if name.text == "count" || name.text == "index" {
        return .method(BoundMethod(base, name.text))
      }
    case .namespace(let namespace):
      if let value = namespace.attributes.value(name.bytes) { return value }
    case .loop(let state): if let value = attribute(name.text, of: state, base) { return value }
    default: break
    }
    return .undefined(.attribute(of: base.typeName, name.bytes))
  }

  private func attribute(_ name: String, of state: LoopState, _ base: TemplateValue)
    -> TemplateValue?
  {
    let (index, count) = (state.index, state.items.count)
    switch name {
    case "index0": return .integer(index)
    case "index": return .integer(index + 1)
    case "revindex0": return .integer(count - index - 1)
    case "revindex": return .integer(count - index)
    case "first": return .bool(index == 0)
    case "last": return .bool(index == count - 1)
    case "length": return .integer(count)
    case "depth": return .integer(1)
    case "depth0": return .integer(0)
    case "previtem":
      return index > 0 ? state.items[index - 1] : .undefined(.other("no previous item"))
    case "nextitem":
      return index + 1 < count ? state.items[index + 1] : .undefined(.other("no next item"))
    case "cycle", "changed": return .method(BoundMethod(base, name))
    default: return nil
    }
  }

  func item(_ index: TemplateValue, of base: TemplateValue, _ line: Int) throws(FileError)
    -> TemplateValue
  {
    switch base {
    case .undefined: throw error(line, expected: "a value that may have items", found: base)
    case .dictionary(let dictionary):
      try charge(dictionary.keys.count >> 2 + index.size, line)
      if let value = dictionary.value(index) { return value }
    case .list(let items), .tuple(let items):
      if let position = index.wholeNumber {
        let position = position < 0 ? position + items.values.count : position
        if items.values.indices.contains(position) { return items.values[position] }
      }
    case .range(let range, _):
      if let position = index.wholeNumber {
        let values = Array(range)
        let position = position < 0 ? position + values.count : position
        if values.indices.contains(position) { return .integer(values[position]) }
      }
    case .string(let text), .markup(let text):
      if let position = index.wholeNumber {
        try charge(text.count, line)
        let characters = PythonText.characters(text)
        let position = position < 0 ? position + characters.count : position
        if characters.indices.contains(position) { return .string(characters[position]) }
      }
    default: break
    }
    guard let name = index.bytes else { return .undefined(.item(of: base.typeName)) }
    let found = try attribute(AttributeName(PythonText.string(name)), of: base, line)
    return found
  }

  /// `base[start:stop:step]`.
  func slice(
    _ base: TemplateValue, _ start: Int?, _ stop: Int?, _ step: Int?, _ line: Int
  ) throws(FileError) -> TemplateValue {
    let values: [TemplateValue]
    switch base {
    case .undefined: throw error(line, expected: "a value that may have items", found: base)
    case .list(let items), .tuple(let items): values = items.values
    case .string, .markup: values = try items(of: base, line)
    default: throw error(line, expected: "a string, list or tuple to slice", found: base)
    }
    let step = step ?? 1
    guard step != 0 else { throw error(line, expected: "a step other than 0", found: "0") }
    let count = values.count
    func clamped(_ bound: Int?, absent: Int, _ range: ClosedRange<Int>) -> Int {
      guard let bound else { return absent }
      // A negative bound counts from the end.
      let index = bound < 0 ? (bound < -count ? range.lowerBound : bound + count) : bound
      return min(max(index, range.lowerBound), range.upperBound)
    }
    var kept: [TemplateValue] = []
    if step > 0 {
      let (first, end) = (
        clamped(start, absent: 0, 0...count), clamped(stop, absent: count, 0...count)
      )
      if first < end {
        kept =
          step == 1
          ? Array(values[first..<end]) : Self.every(step, from: first, to: end, of: values)
      }
    } else {
      let first = clamped(start, absent: count - 1, -1...(count - 1))
      let end = clamped(stop, absent: -1, -1...(count - 1))
      kept = Self.every(step, from: first, to: end, of: values)
    }
    try charge(kept.count, line)
    switch base {
    case .string: return .string(kept.flatMap { $0.bytes ?? [] })
    case .markup: return .markup(kept.flatMap { $0.bytes ?? [] })
    case .tuple: return .tuple(kept)
    default: return .list(kept)
    }
  }

  private static func every(_ step: Int, from: Int, to: Int, of values: [TemplateValue])
    -> [TemplateValue]
  {
    var kept: [TemplateValue] = []
    var index = from
    while step > 0 ? index < to : index > to {
      kept.append(values[index])
      let (next, overflows) = index.addingReportingOverflow(step)
      if overflows { break }
      index = next
    }
    return kept
  }

  /// `key`, which must be one that a dictionary can have.
  func hashable(_ key: TemplateValue, _ line: Int) throws(FileError) -> TemplateValue {
    try charge(key.size, line)
    switch key {
    case .string, .markup, .integer, .float, .bool, .none: return key
    case .tuple(let items):
      for item in items.values {
        if case .tuple = item {
          throw error(line, expected: "a string or a number as a key", found: key)
        }
        _ = try hashable(item, line)
      }
      return key
    default: throw error(line, expected: "a string or a number as a key", found: key)
    }
  }

  // MARK: Comparison

  func holds(
    _ operation: TemplateExpression.Comparison, _ left: TemplateValue, _ right: TemplateValue,
    _ line: Int
  ) throws(FileError) -> Bool {
    switch operation {
    case .equal: try equals(left, right, line)
    case .notEqual: try !equals(left, right, line)
    case .isIn: try contains(right, left, line)
    case .isNotIn: try !contains(right, left, line)
    case .less: try isLess(left, right, orEqual: false, line)
    case .lessOrEqual: try isLess(left, right, orEqual: true, line)
    case .greater: try isLess(right, left, orEqual: false, line)
    case .greaterOrEqual: try isLess(right, left, orEqual: true, line)
    }
  }

  func equals(_ left: TemplateValue, _ right: TemplateValue, _ line: Int) throws(FileError) -> Bool
  {
    try charge(min(left.size, right.size), line)
    return left.equals(right)
  }

  /// `left < right`.
  func isLess(
    _ left: TemplateValue, _ right: TemplateValue, orEqual: Bool, _ line: Int
  ) throws(FileError) -> Bool {
    if let a = left.wholeNumber, let b = right.wholeNumber { return orEqual ? a <= b : a < b }
    if let a = left.number, let b = right.number { return orEqual ? a <= b : a < b }
    if let a = left.bytes, let b = right.bytes {
      try charge(min(left.size, right.size), line)
      return orEqual ? !b.lexicographicallyPrecedes(a) : a.lexicographicallyPrecedes(b)
    }
    switch (left, right) {
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
      for (a, b) in zip(a.values, b.values) where !a.equals(b) {
        return try isLess(a, b, orEqual: orEqual, line)
      }
      return orEqual ? a.values.count <= b.values.count : a.values.count < b.values.count
    default:
      throw error(
        line, expected: "two numbers or two strings to order",
        found: "\(described(left)) and \(described(right))")
    }
  }

  func described(_ value: TemplateValue) -> String {
    if case .undefined(let undefined) = value { return undefined.reason }
    return value.typeName
  }

  /// `element in container`.
  func contains(_ container: TemplateValue, _ element: TemplateValue, _ line: Int) throws(FileError)
    -> Bool
  {
    switch container {
    case .string(let text), .markup(let text):
      guard let part = element.bytes else {
        throw error(line, expected: "a string to look for in a string", found: element)
      }
      try charge(text.count, line)
      return PythonText.firstIndex(of: part, in: text) != nil
    case .dictionary(let dictionary):
      try charge(dictionary.keys.count >> 2, line)
      return dictionary.value(try hashable(element, line)) != nil
    case .iterator(let iterator):
      while let value = iterator.next() { if try equals(value, element, line) { return true } }
      return false
    default:
      for value in try items(of: container, line) where try equals(value, element, line) {
        return true
      }
      return false
    }
  }

  // MARK: Arithmetic

  func compute(
    _ operation: TemplateExpression.Arithmetic, _ left: TemplateValue, _ right: TemplateValue,
    _ line: Int
  ) throws(FileError) -> TemplateValue {
    if let a = left.wholeNumber, let b = right.wholeNumber {
      return try compute(operation, a, b, line)
    }
    if let a = left.number, let b = right.number { return try compute(operation, a, b, line) }
    switch (operation, left, right) {
    case (.add, .string(let a), .string(let b)):
      try charge(a.count + b.count, line)
      return .string(a + b)
    case (.add, .markup(let a), _) where right.bytes != nil:
      return .markup(a + Self.escaped(right))
    case (.add, .string, .markup(let b)): return .markup(Self.escaped(left) + b)
    case (.add, .list(let a), .list(let b)):
      try charge(a.values.count + b.values.count, line)
      return .list(a.values + b.values)
    case (.add, .tuple(let a), .tuple(let b)):
      try charge(a.values.count + b.values.count, line)
      return .tuple(a.values + b.values)
    case (.multiply, .string(let text), _) where right.wholeNumber != nil:
      return .string(try Self.repeated(text, right.wholeNumber ?? 0, line, self))
    case (.multiply, _, .string(let text)) where left.wholeNumber != nil:
      return .string(try Self.repeated(text, left.wholeNumber ?? 0, line, self))
    case (.multiply, .list(let items), _) where right.wholeNumber != nil:
      return .list(try Self.repeated(items.values, right.wholeNumber ?? 0, line, self))
    default:
      throw error(
        line, expected: "two values that \"\(operation.rawValue)\" takes",
        found: "\(described(left)) and \(described(right))")
    }
  }

  private static func repeated<Element>(
    _ values: [Element], _ count: Int, _ line: Int, _ interpreter: TemplateInterpreter
  ) throws(FileError) -> [Element] {
    guard count > 0, !values.isEmpty else { return [] }
    let (total, overflows) = values.count.multipliedReportingOverflow(by: count)
    try interpreter.charge(overflows ? maximumWork : min(total, maximumWork), line)
    return (0..<count).flatMap { _ in values }
  }

  private func compute(
    _ operation: TemplateExpression.Arithmetic, _ a: Int, _ b: Int, _ line: Int
  ) throws(FileError) -> TemplateValue {
    func checked(_ result: (partialValue: Int, overflow: Bool)) throws(FileError) -> TemplateValue {
      guard !result.overflow else {
        throw error(line, expected: "whole numbers of 64 bits", found: "a larger result")
      }
      return .integer(result.partialValue)
    }
    switch operation {
    case .add: return try checked(a.addingReportingOverflow(b))
    case .subtract: return try checked(a.subtractingReportingOverflow(b))
    case .multiply: return try checked(a.multipliedReportingOverflow(by: b))
    case .divide, .floorDivide, .modulo:
      guard b != 0 else { throw error(line, expected: "a divisor other than 0", found: "0") }
      if operation == .divide { return .float(Double(a) / Double(b)) }
      if b == -1 {
        return operation == .modulo ? .integer(0) : try checked((0).subtractingReportingOverflow(a))
      }
      // Rounded down, where Swift rounds towards zero.
      let (quotient, remainder) = a.quotientAndRemainder(dividingBy: b)
      let isRounded = remainder != 0 && (remainder < 0) != (b < 0)
      return .integer(
        operation == .modulo ? remainder + (isRounded ? b : 0) : quotient - (isRounded ? 1 : 0))
    case .power:
      guard b >= 0 else { return try compute(.power, Double(a), Double(b), line) }
      guard b < 64 || (-1...1).contains(a) else { return try checked((0, true)) }
      var result = (partialValue: 1, overflow: false)
      for _ in 0..<((-1...1).contains(a) ? b % 2 + 2 * (b > 0 ? 1 : 0) : b) {
        result = result.partialValue.multipliedReportingOverflow(by: a)
        if result.overflow { break }
      }
      return try checked(result)
    }
  }

  private func compute(
    _ operation: TemplateExpression.Arithmetic, _ a: Double, _ b: Double, _ line: Int
  ) throws(FileError) -> TemplateValue {
    switch operation {
    case .add: return .float(a + b)
    case .subtract: return .float(a - b)
    case .multiply: return .float(a * b)
    case .divide, .floorDivide, .modulo:
      guard b != 0 else { throw error(line, expected: "a divisor other than 0", found: "0") }
      if operation == .divide { return .float(a / b) }
      var remainder = a.truncatingRemainder(dividingBy: b)
      if remainder != 0, (remainder < 0) != (b < 0) { remainder += b }
      return .float(operation == .modulo ? remainder : ((a - remainder) / b).rounded())
    case .power:
      throw error(line, expected: "a power of whole numbers", found: "a power of floats")
    }
  }

  // MARK: Text

  /// `str(value)`.
  func text(_ value: TemplateValue, _ line: Int) throws(FileError) -> [UInt8] {
    switch value {
    case .undefined: return []
    case .string(let text), .markup(let text): return text
    case .integer(let number): return Array("\(number)".utf8)
    default:
      var output: [UInt8] = []
      try represent(value, to: &output, line)
      return output
    }
  }

  /// `repr(value)`.
  private func represent(_ value: TemplateValue, to output: inout [UInt8], _ line: Int)
    throws(FileError)
  {
    switch value {
    case .undefined: output += Array("Undefined".utf8)
    case .none: output += Array("None".utf8)
    case .bool(let value): output += Array((value ? "True" : "False").utf8)
    case .integer(let value): output += Array("\(value)".utf8)
    case .float(let value): output += Array(PythonText.representation(value).utf8)
    case .string(let text):
      try charge(text.count, line)
      output += PythonText.representation(text)
    case .markup(let text):
      output += Array("Markup(".utf8) + PythonText.representation(text) + Array(")".utf8)
    case .list(let items): try represent(items.values, "[", "]", to: &output, line)
    case .tuple(let items):
      try represent(items.values, "(", items.values.count == 1 ? ",)" : ")", to: &output, line)
    case .view(let view, let items):
      try represent(items.values, "\(view.rawValue)([", "])", to: &output, line)
    case .dictionary(let dictionary):
      output += Array("{".utf8)
      for (index, (key, value)) in zip(dictionary.keys, dictionary.values).enumerated() {
        if index > 0 { output += Array(", ".utf8) }
        try represent(key, to: &output, line)
        output += Array(": ".utf8)
        try represent(value, to: &output, line)
      }
      output += Array("}".utf8)
    case .range(_, let text): output += Array(text.utf8)
    default: throw error(line, expected: "a value that can be written out", found: value)
    }
    try charge(Self.writingCost, line)
  }

  private static let writingCost = 8

  private func represent(
    _ values: [TemplateValue], _ start: String, _ end: String, to output: inout [UInt8], _ line: Int
  ) throws(FileError) {
    output += Array(start.utf8)
    for (index, value) in values.enumerated() {
      if index > 0 { output += Array(", ".utf8) }
      try represent(value, to: &output, line)
    }
    output += Array(end.utf8)
  }

  /// A text with HTML's special characters escaped, unless it is marked safe.
  static func escaped(_ value: TemplateValue) -> [UInt8] {
    if case .string(let text) = value { return escaped(text) }
    return value.bytes ?? []
  }

  static func escaped(_ text: [UInt8]) -> [UInt8] {
    var output: [UInt8] = []
    for byte in text {
      switch byte {
      case UInt8(ascii: "&"): output += Array("&amp;".utf8)
      case UInt8(ascii: "<"): output += Array("&lt;".utf8)
      case UInt8(ascii: ">"): output += Array("&gt;".utf8)
      case UInt8(ascii: "'"): output += Array("&#39;".utf8)
      case UInt8(ascii: "\""): output += Array("&#34;".utf8)
      default: output.append(byte)
      }
    }
    return output
  }
}
