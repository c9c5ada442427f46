/// A token of a template, with the line where it begins.
struct TemplateToken {
  enum Kind: Hashable {
    /// Text outside of tags, with white space removed as the tags around it ask for.
    case data([UInt8])
    case variableBegin, variableEnd, blockBegin, blockEnd
    case name(String)
    case string([UInt8])
    case integer(Int)
    case float(Double)
    case mark(Mark)
    case end
  }

  /// Operators and punctuation.
  enum Mark: String {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
    case concatenate = "~"
    case equal = "=="
    case notEqual = "!="
    case greater = ">"
    case greaterOrEqual = ">="
    case less = "<"
    case lessOrEqual = "<="
    case assign = "="
    case openParenthesis = "("
    case closeParenthesis = ")"
    case openBracket = "["
    case closeBracket = "]"
    case openBrace = "{"
    case closeBrace = "}"
    case dot = "."
    case comma = ","
    case colon = ":"
    case semicolon = ";"
    case pipe = "|"
  }

  var kind: Kind
  var line: Int

  /// The token in words, for messages.
  var description: String {
    switch kind {
    case .data: "text"
    case .variableBegin: "{{"
    case .variableEnd: "}}"
    case .blockBegin: "{%"
    case .blockEnd: "%}"
    case .name(let name): "\"\(name)\""
    case .string: "a string"
    case .integer(let value): "\(value)"
    case .float(let value): "\(value)"
    case .mark(let mark): "\"\(mark.rawValue)\""
    case .end: "the end of the template"
    }
  }
}
