extension AnswerText {
  /// The date or time that starts in `range`, after what may stand before it.
  ///
  /// - Parameter isWhole: whether nothing may follow.
  func moment(in range: Range<Int>, isWhole: Bool) -> (value: AnswerValue, end: Int)? {
    var index = range.lowerBound
    while index < range.upperBound,
      characters[index].isWhitespace || "$(\"*[".contains(characters[index])
    {
      index += 1
    }
    guard
      let found = date(at: index, before: range.upperBound)
        ?? time(at: index, before: range.upperBound)
    else { return nil }
    if isWhole {
      let rest = characters[found.end..<range.upperBound]
      guard rest.allSatisfy({ $0.isWhitespace || ".)]\"$*".contains($0) }) else { return nil }
    }
    return found
  }

  /// Up to `greatest` digits at `index`.
  private func integer(at index: Int, before end: Int, greatest: Int = 4) -> (
    value: Int, count: Int
  )? {
    var last = index
    while last < end, ("0"..."9").contains(characters[last]), last - index <= greatest { last += 1 }
    guard last > index, last - index <= greatest, let value = Int(String(characters[index..<last]))
    else { return nil }
    return (value, last - index)
  }

  /// `15:30`, `3:30 PM`, `3 p.m.`; a ratio such as `3:4` is none.
  private func time(at index: Int, before end: Int) -> (value: AnswerValue, end: Int)? {
    guard let hour = integer(at: index, before: end, greatest: 2), hour.value < 24 else {
      return nil
    }
    var position = index + hour.count
    var minute = 0
    var hasMinute = false
    if character(position) == ":" || character(position) == "." && position + 2 < end,
      let minutes = integer(at: position + 1, before: end, greatest: 2), minutes.count == 2,
      minutes.value < 60
    {
      hasMinute = character(position) == ":"
      minute = minutes.value
      position += 3
    }
    if character(position) == ":" || character(position).isNumber { return nil }
    let next = skippingSpace(from: position, before: end)
    for (name, isAfternoon) in Self.dayHalfNames where hasPhrase(name, at: next) {
      let last = next + name.count
      guard last <= end, !character(last).isLetter else { continue }
      let minutes = hour.value % 12 * 60 + minute + (isAfternoon ? 12 * 60 : 0)
      return (.time(minutes: minutes, isComplete: true), last)
    }
    guard hasMinute else { return nil }
    let isComplete =
      hour.value > 12 || hour.value == 0 || hour.count == 2 && character(index) == "0"
    return (.time(minutes: hour.value * 60 + minute, isComplete: isComplete), position)
  }

  private static let dayHalfNames: [([Character], Bool)] = [
    (Array("a.m."), false), (Array("p.m."), true), (Array("am"), false), (Array("pm"), true),
  ]

  /// `05/23/2021` (month first, unless it can't be), `2021-05-23`, `May 23, 2021`, `23 May 2021`.
  private func date(at index: Int, before end: Int) -> (value: AnswerValue, end: Int)? {
    func date(_ year: Int, _ month: Int, _ day: Int, _ end: Int) -> (AnswerValue, Int)? {
      (1...12).contains(month) && (1...31).contains(day)
        ? (.date(year: year, month: month, day: day), end) : nil
    }
    if let name = word(at: index, before: end), let month = Self.month(name.text) {
      var position = name.end
      if character(position) == "." { position += 1 }
      position = skippingSpace(from: position, before: end)
      guard let day = integer(at: position, before: end, greatest: 2) else { return nil }
      position += day.count
      if let suffix = word(at: position, before: end), suffix.text.count == 2 {
        position = suffix.end
      }
      if character(position) == "," { position += 1 }
      position = skippingSpace(from: position, before: end)
      guard let year = integer(at: position, before: end), year.count == 4 else { return nil }
      return date(year.value, month, day.value, position + 4)
    }
    guard let first = integer(at: index, before: end) else { return nil }
    var position = index + first.count
    let separator = character(position)
    if "/-.".contains(separator) {
      guard let second = integer(at: position + 1, before: end, greatest: 2),
        case let last = position + 1 + second.count, character(last) == separator,
        let third = integer(at: last + 1, before: end), !character(last + 1 + third.count).isNumber
      else { return nil }
      position = last + 1 + third.count
      if first.count == 4 { return date(first.value, second.value, third.value, position) }
      guard first.count <= 2, third.count == 4 || third.count == 2 && separator == "/" else {
        return nil
      }
      return date(third.value, first.value, second.value, position)
        ?? date(third.value, second.value, first.value, position)
    }
    if let suffix = word(at: position, before: end), ["st", "nd", "rd", "th"].contains(suffix.text)
    {
      position = suffix.end
    }
    position = skippingSpace(from: position, before: end)
    guard let name = word(at: position, before: end), let month = Self.month(name.text) else {
      return nil
    }
    position = name.end
    if character(position) == "," { position += 1 }
    position = skippingSpace(from: position, before: end)
    guard let year = integer(at: position, before: end), year.count == 4 else { return nil }
    return date(year.value, month, first.value, position + 4)
  }

  private static func month(_ name: String) -> Int? {
    guard name.count >= 3, name.count <= 9 else { return nil }
    let months = [
      "january", "february", "march", "april", "may", "june", "july", "august", "september",
      "october", "november", "december",
    ]
    return months.firstIndex { $0.hasPrefix(name) || name == "sept" && $0 == "september" }.map {
      $0 + 1
    }
  }
}
