import Files

/// A value while a template is rendered, as Python has it.
enum TemplateValue {
  case undefined(Undefined)
  case none
  case bool(Bool)
  case integer(Int)
  case float(Double)
  case string([UInt8])
  /// A text that the filter `safe` or `escape` has been applied to.
  case markup([UInt8])
  case list(TemplateItems)
  case tuple(TemplateItems)
  case dictionary(TemplateDictionary)
  case view(View, TemplateItems)
  case iterator(TemplateIterator)
  case namespace(TemplateNamespace)
  case range(StrideTo<Int>, text: String)
  case macro(MacroClosure)
  case method(BoundMethod)
  case function(WellKnownName)
  case loop(LoopState)

  /// Why a value is undefined.
  enum Undefined {
    case variable(String)
    case attribute(of: String, [UInt8])
    case item(of: String)
    case other(String)

    /// In words, after "found".
    var reason: String {
      switch self {
      case .variable(let name): "\"\(name)\", which is undefined"
      case .attribute(let type, let name):
        "\"\(PythonText.string(name))\", which \(type) does not have"
      case .item(let type): "an item that \(type) does not have"
      case .other(let reason): reason
      }
    }
  }

  /// What `items()`, `keys()` and `values()` of a dictionary give.
  enum View: String {
    case items = "dict_items"
    case keys = "dict_keys"
    case values = "dict_values"
  }
}

/// The items of a list or tuple.
///
/// A template could nest lists without end, and freeing, comparing or writing such a value would overflow the stack. So
/// each holds its depth and size, which are bounded when it is made. A namespace can hold itself in a list; no namespace may hold
/// a value that `holdsReferences`.
struct TemplateItems {
  let values: [TemplateValue]
  let depth: Int
  /// The sizes of the values it holds, each as often as it stands there.
  let size: Int
  let holdsReferences: Bool

  static let maximumDepth = 100
  static let maximumSize = 1 << 24

  init(_ values: [TemplateValue]) {
    self.values = values
    var (depth, size, holdsReferences) = (0, 1, false)
    for value in values {
      depth = max(depth, value.depth)
      size = min(size + value.size, Self.maximumSize + 1)
      if value.holdsReferences { holdsReferences = true }
    }
    (self.depth, self.size, self.holdsReferences) = (depth + 1, size, holdsReferences)
  }
}

/// A dictionary in the order of its insertions.
struct TemplateDictionary {
  private(set) var keys: [TemplateValue] = []
  private(set) var values: [TemplateValue] = []
  private(set) var depth = 1
  private(set) var size = 1
  private(set) var holdsReferences = false

  func value(_ name: [UInt8]) -> TemplateValue? {
    for (index, key) in keys.enumerated() {
      switch key {
      case .string(let bytes), .markup(let bytes): if bytes == name { return values[index] }
      default: break
      }
    }
    return nil
  }

  func value(_ key: TemplateValue) -> TemplateValue? {
    if case .string(let name) = key { return value(name) }
    return keys.firstIndex { $0.equals(key) }.map { values[$0] }
  }

  mutating func set(_ key: TemplateValue, _ value: TemplateValue) {
    depth = max(depth, value.depth + 1, key.depth + 1)
    size = min(size + value.size + key.size, TemplateItems.maximumSize + 1)
    holdsReferences = holdsReferences || value.holdsReferences
    if let index = keys.firstIndex(where: { $0.equals(key) }) {
      values[index] = value
    } else {
      keys.append(key)
      values.append(value)
    }
  }

  /// Adds a member whose key is not there yet.
  fileprivate mutating func append(_ name: [UInt8], _ value: TemplateValue) {
    depth = max(depth, value.depth + 1)
    size += value.size + 1
    keys.append(.string(name))
    values.append(value)
  }

  var pairs: [TemplateValue] {
    zip(keys, values).map { .tuple(TemplateItems([$0, $1])) }
  }
}

/// What a generator of Python gives, which can be taken once.
final class TemplateIterator {
  private(set) var remaining: ArraySlice<TemplateValue>
  let depth: Int

  init(_ values: [TemplateValue]) {
    remaining = values[...]
    depth = TemplateItems(values).depth
  }

  func next() -> TemplateValue? { remaining.popFirst() }

  func takeAll() -> [TemplateValue] {
    defer { remaining = [] }
    return Array(remaining)
  }
}

/// What `namespace()` makes: attributes that blocks inside of it can set.
final class TemplateNamespace {
  var attributes = TemplateDictionary()
}

/// The names of a block, in the block around it.
final class TemplateScope {
  let parent: TemplateScope?
  private var names: [Int] = []
  private var values: [TemplateValue] = []

  init(parent: TemplateScope?) { self.parent = parent }

  func value(_ name: Int) -> TemplateValue? {
    var scope: TemplateScope? = self
    while let present = scope {
      for (index, number) in present.names.enumerated() where number == name {
        return present.values[index]
      }
      scope = present.parent
    }
    return nil
  }

  func set(_ name: Int, _ value: TemplateValue) {
    if let index = names.firstIndex(of: name) {
      values[index] = value
    } else {
      names.append(name)
      values.append(value)
    }
  }
}

/// A macro where it is defined.
final class MacroClosure {
  let macro: TemplateMacro
  let scope: TemplateScope
  init(_ macro: TemplateMacro, in scope: TemplateScope) {
    (self.macro, self.scope) = (macro, scope)
  }
}

/// A method of a value, before it is called.
final class BoundMethod {
  let receiver: TemplateValue
  let name: String
  init(_ receiver: TemplateValue, _ name: String) { (self.receiver, self.name) = (receiver, name) }
}

/// `loop` in the body of a loop.
final class LoopState {
  let items: [TemplateValue]
  var index = 0
  var changed: [TemplateValue]?
  init(_ items: [TemplateValue]) { self.items = items }
}

/// The names that each template knows, with the numbers that the parser gives them.
enum WellKnownName: String, CaseIterable {
  case loop
  case messages
  case addGenerationPrompt = "add_generation_prompt"
  case tools
  case documents
  case bosToken = "bos_token"
  case eosToken = "eos_token"
  case range
  case dict
  case namespace
  case raiseException = "raise_exception"
  case strftimeNow = "strftime_now"

  var number: Int {
    switch self {
    case .loop: 0
    case .messages: 1
    case .addGenerationPrompt: 2
    case .tools: 3
    case .documents: 4
    case .bosToken: 5
    case .eosToken: 6
    case .range: 7
    case .dict: 8
    case .namespace: 9
    case .raiseException: 10
    case .strftimeNow: 11
    }
  }

  static let functions: [WellKnownName] = [
    .range, .dict, .namespace, .raiseException, .strftimeNow,
  ]
}

// MARK: Properties

extension TemplateValue {
  init(_ json: JSONValue) {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value): self = .float(value)
    case .string(let text): self = .string(Array(text.utf8))
    case .array(let values): self = .list(TemplateItems(values.map(TemplateValue.init)))
    case .object(let members):
      var dictionary = TemplateDictionary()
      for member in members {
        dictionary.set(.string(Array(member.key.utf8)), TemplateValue(member.value))
      }
      self = .dictionary(dictionary)
    }
  }

  init(_ message: ChatMessage) {
    var dictionary = TemplateDictionary()
    dictionary.append(Self.role, .string(Array(message.role.utf8)))
    dictionary.append(Self.content, .string(Array(message.content.utf8)))
    self = .dictionary(dictionary)
  }

  private static let role = Array("role".utf8)
  private static let content = Array("content".utf8)

  static func text(_ text: String) -> TemplateValue { .string(Array(text.utf8)) }
  static func list(_ values: [TemplateValue]) -> TemplateValue { .list(TemplateItems(values)) }
  static func tuple(_ values: [TemplateValue]) -> TemplateValue { .tuple(TemplateItems(values)) }

  /// Levels of lists and dictionaries.
  var depth: Int {
    switch self {
    case .list(let items), .tuple(let items), .view(_, let items): items.depth
    case .dictionary(let dictionary): dictionary.depth
    case .iterator(let iterator): iterator.depth
    case .method(let method): method.receiver.depth + 1
    default: 0
    }
  }

  /// How many values there are on all levels, a text for each 16 bytes of it: what comparing the value costs.
  var size: Int {
    switch self {
    case .string(let text), .markup(let text): 1 + text.count >> 4
    case .list(let items), .tuple(let items), .view(_, let items): items.size
    case .dictionary(let dictionary): dictionary.size
    default: 1
    }
  }

  /// Whether there may be a way from the value back to itself.
  var holdsReferences: Bool {
    switch self {
    case .list(let items), .tuple(let items), .view(_, let items): items.holdsReferences
    case .dictionary(let dictionary): dictionary.holdsReferences
    case .iterator, .namespace, .macro, .method, .loop: true
    default: false
    }
  }

  var isUndefined: Bool { if case .undefined = self { true } else { false } }

  /// The bytes of a text.
  var bytes: [UInt8]? {
    switch self {
    case .string(let bytes), .markup(let bytes): bytes
    default: nil
    }
  }

  /// A whole number, as which Python takes True and False too.
  var wholeNumber: Int? {
    switch self {
    case .integer(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }

  var number: Double? {
    if case .float(let value) = self { return value }
    return wholeNumber.map(Double.init)
  }

  /// `bool(value)`.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .float(let value): value != 0
    case .string(let text), .markup(let text): !text.isEmpty
    case .list(let items), .tuple(let items), .view(_, let items): !items.values.isEmpty
    case .dictionary(let dictionary): !dictionary.keys.isEmpty
    case .range(let range, _): range.underestimatedCount > 0
    case .loop(let state): !state.items.isEmpty
    case .iterator, .namespace, .macro, .method, .function: true
    }
  }

  /// The name of Python's type, in words.
  var typeName: String {
    switch self {
    case .undefined: "an undefined value"
    case .none: "None"
    case .bool: "a bool"
    case .integer: "an int"
    case .float: "a float"
    case .string, .markup: "a str"
    case .list: "a list"
    case .tuple: "a tuple"
    case .dictionary: "a dict"
    case .view(let view, _): view.rawValue
    case .iterator: "a generator"
    case .namespace: "a namespace"
    case .range: "a range"
    case .macro: "a macro"
    case .method, .function: "a function"
    case .loop: "a loop"
    }
  }

  /// `self == other`.
  func equals(_ other: TemplateValue) -> Bool {
    switch (self, other) {
    case (.undefined, .undefined), (.none, .none): true
    case (.string(let a), .string(let b)), (.string(let a), .markup(let b)),
      (.markup(let a), .string(let b)),
      (.markup(let a), .markup(let b)):
      a == b
    case (.bool, .bool), (.bool, .integer), (.integer, .bool), (.integer, .integer):
      wholeNumber == other.wholeNumber
    case (.bool, .float), (.integer, .float), (.float, .bool), (.float, .integer), (.float, .float):
      number == other.number
    case (.list(let a), .list(let b)), (.tuple(let a), .tuple(let b)):
      a.values.count == b.values.count && zip(a.values, b.values).allSatisfy { $0.equals($1) }
    case (.dictionary(let a), .dictionary(let b)):
      a.keys.count == b.keys.count
        && zip(a.keys, a.values).allSatisfy { key, value in b.value(key)?.equals(value) == true }
    case (.range(let a, _), .range(let b, _)): Array(a) == Array(b)
    case (.namespace(let a), .namespace(let b)): a === b
    case (.iterator(let a), .iterator(let b)): a === b
    case (.macro(let a), .macro(let b)): a === b
    case (.loop(let a), .loop(let b)): a === b
    case (.function(let a), .function(let b)): a == b
    default: false
    }
  }
}
