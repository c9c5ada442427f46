import Files
import Teachers

/// What an answer is stored under: who was asked, what, and with which sampling settings.
public struct AnnotationKey: Hashable, Sendable {
  /// The teacher's identity.
  public let teacher: String
  public let prompt: TeacherPrompt
  public let sampling: TeacherSampling
  /// The SHA-256 of all three.
  public let hash: String

  public init(teacher: String, prompt: TeacherPrompt, sampling: TeacherSampling) {
    self.teacher = teacher
    self.prompt = prompt
    self.sampling = sampling
    let question = prompt.question
    let fields: [String?] =
      [
        "annotation 1", teacher, prompt.step.rawValue, prompt.text, prompt.rightResponse,
        question.id, question.task, question.text, question.answer, "\(question.options.count)",
      ]
      + question.options.flatMap { [$0.label, $0.text] }
      + [
        "\(sampling.temperature)", sampling.topP.map { "\($0)" }, "\(sampling.maximumTokens)",
        "\(sampling.seed)", "\(sampling.attempt)", "\(sampling.stop.count)",
      ]
      + sampling.stop
    // Each field with its length before it, so that no two keys are written alike.
    hash = SHA256.hex(
      of: fields.map { $0.map { "\($0.utf8.count):\($0)," } ?? "-," }.joined())
  }
}
