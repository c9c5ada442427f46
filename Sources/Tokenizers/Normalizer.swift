/// What happens to text, between the added tokens, before it is cut into pieces.
enum Normalizer: Equatable, Sendable {
  case unicode(UnicodeNormalization)
  /// Puts something before text that is not empty.
  case prepend([UInt8])
  /// Replaces each occurrence, from left to right.
  case replace([UInt8], with: [UInt8])
  case sequence([Normalizer])

  /// `text` normalized. `continues`: something stands before it, so that nothing is put there.
  func normalize(_ text: [UInt8], continues: Bool = false) -> [UInt8] {
    switch self {
    case .unicode(let form):
      return form.normalize(text)
    case .prepend(let start):
      return text.isEmpty || continues ? text : start + text
    case .replace(let pattern, let content):
      return text.replacing(pattern, with: content)
    case .sequence(let normalizers):
      return normalizers.reduce(text) { $1.normalize($0, continues: continues) }
    }
  }
}

extension [UInt8] {
  /// These bytes with each occurrence of `pattern`, from left to right, replaced. An empty pattern
  /// changes nothing.
  func replacing(_ pattern: [UInt8], with content: [UInt8]) -> [UInt8] {
    guard let first = pattern.first else { return self }
    var result: [UInt8] = []
    result.reserveCapacity(count + count / 4)
    var index = 0
    while index < count {
      if self[index] == first, self[index...].starts(with: pattern) {
        result.append(contentsOf: content)
        index += pattern.count
      } else {
        result.append(self[index])
        index += 1
      }
    }
    return result
  }
}
