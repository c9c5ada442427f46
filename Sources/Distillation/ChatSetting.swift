import ChatTemplates
import Files

/// Which texts are rendered with a chat template, and with which.
public enum ChatTemplateChoice: Sendable, Hashable {
  /// Conversations, with the model's own template where it has one. Plain texts stay as they are.
  /// `date` is what its `strftime_now` gives instead of today.
  case conversations(date: TemplateDate? = nil)
  /// Conversations, and plain texts as one message of the user, with the template in `file`, or else
  /// the model's own.
  case everything(file: String?, date: TemplateDate? = nil)
  /// None: conversations are written out as plain text.
  case none
}

/// The chat template of a student.
public struct ChatSetting: Sendable {
  /// Why the model's own template cannot be used, which is an error only where it is needed.
  private let template: Result<ChatTemplate?, FileError>
  /// Whether plain texts are rendered too, as one message of the user.
  public let rendersPlainText: Bool

  /// No template.
  public static let none = ChatSetting(nil)

  public init(_ template: ChatTemplate?, rendersPlainText: Bool = false) {
    self.template = .success(template)
    self.rendersPlainText = rendersPlainText && template != nil
  }

  private init(unusable error: FileError) {
    template = .failure(error)
    rendersPlainText = false
  }

  /// The setting of the model at `model`. Throws a `FileError` where a template is asked for that
  /// cannot be read, or that the model does not have.
  public init(_ choice: ChatTemplateChoice, model: String) throws {
    switch choice {
    case .none: self = .none
    case .conversations(let date):
      do {
        var found = try ChatTemplate.ofModel(model)
        if let date { found?.date = date }
        self.init(found)
      } catch let error as FileError {
        self.init(unusable: error)
      }
    case .everything(let file, let date):
      let found =
        try file.map { try ChatTemplate.ofFile($0, model: model) } ?? ChatTemplate.ofModel(model)
      guard var found else {
        throw FileError(
          file: model, expected: "a model with a chat template, or a template's file", found: "none"
        )
      }
      if let date { found.date = date }
      self.init(found, rendersPlainText: true)
    }
  }

  /// What a conversation, or a plain text where it is nil, is rendered with; nil if with nothing.
  /// Throws where that is a template that cannot be read.
  package func template(isConversation: Bool) throws(FileError) -> ChatTemplate? {
    isConversation || rendersPlainText ? try template.get() : nil
  }

  /// The template for records: its SHA-256, whether plain texts are rendered too, and the date if the
  /// text depends on it; nil where there is none.
  public var record: String? {
    guard let template = try? template.get() else { return nil }
    return SHA256.hex(of: Array(template.source.utf8))
      + (rendersPlainText ? ", plain texts too" : "")
      + (template.usesDate ? ", \(template.date.isoDate)" : "")
  }
}
