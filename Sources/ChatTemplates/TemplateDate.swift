#if canImport(Darwin)
  import Darwin
#else
  import Glibc
#endif

/// The date and time that `strftime_now` of a template writes.
public struct TemplateDate: Sendable, Hashable {
  public var year, month, day: Int
  public var hour, minute, second: Int

  /// Month and day count from 1. The date must exist.
  public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
    (self.year, self.month, self.day) = (year, month, day)
    (self.hour, self.minute, self.second) = (hour, minute, second)
  }

  /// `2025-03-14`; nil where there is no such date.
  public init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard text.utf8.count == 10, parts.count == 3, let year = parts[0], let month = parts[1],
      let day = parts[2],
      (1...9999).contains(year), (1...12).contains(month),
      (1...Self.days(inMonth: month, of: year)).contains(day)
    else { return nil }
    self.init(year: year, month: month, day: day)
  }

  /// The present local time.
  public static var now: TemplateDate {
    var seconds = time(nil)
    var parts = tm()
    localtime_r(&seconds, &parts)
    return TemplateDate(
      year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday),
      hour: Int(parts.tm_hour), minute: Int(parts.tm_min), second: Int(parts.tm_sec))
  }

  /// The date alone, as ISO 8601 has it.
  public var isoDate: String {
    "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
  }

  private static func isLeap(_ year: Int) -> Bool {
    year.isMultiple(of: 4) && (!year.isMultiple(of: 100) || year.isMultiple(of: 400))
  }

  private static func days(inMonth month: Int, of year: Int) -> Int {
    month == 2 ? (isLeap(year) ? 29 : 28) : [4, 6, 9, 11].contains(month) ? 30 : 31
  }

  private var dayOfYear: Int {
    (1..<month).reduce(day) { $0 + Self.days(inMonth: $1, of: year) }
  }

  /// 0 is Sunday.
  private var weekday: Int {
    let before = year - 1
    return (before * 365 + before / 4 - before / 100 + before / 400 + dayOfYear) % 7
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = "\(number)"
    return String(repeating: "0", count: max(0, width - digits.count)) + digits
  }

  static let directives = "Y, y, m, d, e, B, b, A, a, j, H, I, M, S, p, F, T, %"
  private static let months = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November",
    "December",
  ]
  private static let weekdays = [
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
  ]

  /// The date by `strftime` in the C locale; nil where `format` has a directive that is none of `directives`.
  func formatted(_ format: String) -> String? {
    var output = ""
    var rest = format.unicodeScalars[...]
    while let scalar = rest.popFirst() {
      guard scalar == "%" else {
        output.unicodeScalars.append(scalar)
        continue
      }
      // glibc's "-" leaves out padding.
      let isUnpadded = rest.first == "-"
      if isUnpadded { rest.removeFirst() }
      func number(_ value: Int, _ width: Int) -> String {
        isUnpadded ? "\(value)" : Self.padded(value, width)
      }
      switch rest.popFirst() {
      case "Y": output += "\(year)"
      case "y": output += number(year % 100, 2)
      case "m": output += number(month, 2)
      case "d": output += number(day, 2)
      case "e": output += (day < 10 && !isUnpadded ? " " : "") + "\(day)"
      case "B": output += Self.months[month - 1]
      case "b": output += Self.months[month - 1].prefix(3)
      case "A": output += Self.weekdays[weekday]
      case "a": output += Self.weekdays[weekday].prefix(3)
      case "j": output += number(dayOfYear, 3)
      case "H": output += number(hour, 2)
      case "I": output += number((hour + 11) % 12 + 1, 2)
      case "M": output += number(minute, 2)
      case "S": output += number(second, 2)
      case "p": output += hour < 12 ? "AM" : "PM"
      case "F": output += isoDate
      case "T":
        output += "\(Self.padded(hour, 2)):\(Self.padded(minute, 2)):\(Self.padded(second, 2))"
      case "%": output += "%"
      default: return nil
      }
    }
    return output
  }
}
