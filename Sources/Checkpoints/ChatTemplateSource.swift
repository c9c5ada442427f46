import Files

/// The text of a chat template, and where it was found.
package struct ChatTemplateSource: Sendable {
  package let text: String
  /// The file, with the key in it, as errors name it.
  package let place: String

  /// The template in a Hugging Face folder; nil where there is none.
  ///
  /// It is the first of `chat_template.jinja`, `chat_template.json` and the `chat_template` of
  /// `tokenizer_config.json` that is there. Where templates have names, it is the one called "default".
  ///
  /// Throws where a file cannot be read, or no template is called "default".
  package init?(inFolder folder: String) throws(FileError) {
    let jinja = folder + "/chat_template.jinja"
    if FileContents.exists(jinja) {
      guard let text = String(validating: try FileContents.text(of: jinja), as: UTF8.self) else {
        throw FileError(
          file: jinja, expected: "a text file in UTF-8", found: "bytes that are not UTF-8")
      }
      (self.text, place) = (text, jinja)
      return
    }
    for name in ["chat_template.json", "tokenizer_config.json"]
    where FileContents.exists("\(folder)/\(name)") {
      let path = "\(folder)/\(name)"
      guard let node = try JSONNode(path: path)["chat_template"] else { continue }
      (text, place) = (try Self.text(node), "\(path): chat_template")
      return
    }
    return nil
  }

  /// The one template at `node`, or of a list of `{"name", "template"}` the one named "default".
  private static func text(_ node: JSONNode) throws(FileError) -> String {
    guard node.isArray else { return try node.string() }
    var names: [String] = []
    for template in try node.elements() {
      let name = try template.string("name")
      if name == "default" { return try template.string("template") }
      names.append("\"\(name)\"")
    }
    throw node.error(
      expected: "a template named \"default\"",
      found: names.isEmpty ? "none" : names.joined(separator: ", "))
  }
}
