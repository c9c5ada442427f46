import Files

/// The values that `rank_pattern` or `alpha_pattern` of a PEFT adapter gives to modules.
///
/// A key is a regular expression for a module's name or for its end after a dot; the first that
/// matches counts.
///
/// Source: `get_pattern_key` in
/// https://github.com/huggingface/peft/blob/v0.21.2/src/peft/utils/other.py
struct ModulePatterns<Value> {
  private var patterns: [(regex: Regex<AnyRegexOutput>, value: Value)] = []

  /// Reads the object `node`, if there is one. Throws, by its key, where a key is no regular
  /// expression or `read` throws.
  init(_ node: JSONNode, _ read: (JSONNode) throws -> Value) throws {
    guard !node.isNull else { return }
    for (key, member) in try node.members() {
      patterns.append((try member.regex("(.*\\.)?(\(key))$", key), try read(member)))
    }
  }

  func value(of module: String) -> Value? {
    patterns.first { module.prefixMatch(of: $0.regex) != nil }?.value
  }
}

/// The layers that a PEFT adapter changes: `layers_to_transform`, and `layers_pattern`, which tells
/// a layer's number in a module's name.
///
/// Source: `check_target_module_exists` in
/// https://github.com/huggingface/peft/blob/v0.21.2/src/peft/tuners/tuners_utils.py
struct LayerPatterns {
  /// In ascending order; nil: all.
  let layers: [Int]?
  private let namedInFull: Set<String>
  private let patterns: [Regex<AnyRegexOutput>]

  /// Reads them from `adapter_config.json`. Throws, by its key, what PEFT refuses.
  init(_ json: JSONNode) throws {
    let layers = try json.integers("layers_to_transform")
    self.layers = layers.isEmpty ? nil : Set(layers).sorted()
    guard !layers.isEmpty else {
      (namedInFull, patterns) = ([], [])
      return
    }
    let targets = json.child("target_modules")
    if case .string = targets.value {
      throw json.error(
        "layers_to_transform", expected: "nothing beside a target_modules that is a string")
    }
    namedInFull = Set(try json.strings("target_modules"))
    let node = json.child("layers_pattern")
    let names =
      node.isArray ? try json.strings("layers_pattern") : [try node.isNull ? "" : node.string()]
    patterns =
      names.allSatisfy(\.isEmpty)
      ? [try node.regex(#".*?\.[^.]*\.(?P<idx>\d+)\."#, "layers_pattern")]
      : try names.map { try node.regex(#"(?:^|.*?\.)\#($0)\.(?P<idx>\d+)\."#, $0) }
  }

  /// Whether `module`, of a kind that the adapter changes, is in one of the layers.
  func contain(_ module: String) -> Bool {
    guard let layers, !namedInFull.contains(module) else { return true }
    let match = patterns.lazy.compactMap { module.prefixMatch(of: $0) }.first
    return match?["idx"]?.substring.flatMap { Int($0) }.map(layers.contains) ?? false
  }
}

extension JSONNode {
  /// `pattern` as Python's `re` reads it, by Unicode scalars. Throws that `part`, which stands here,
  /// is no regular expression.
  fileprivate func regex(_ pattern: String, _ part: String) throws(FileError) -> Regex<
    AnyRegexOutput
  > {
    guard let regex = try? Regex(pattern) else {
      throw error(expected: "a regular expression", found: "\"\(part)\"")
    }
    return regex.matchingSemantics(.unicodeScalar)
  }
}
