import Reasoning

/// A teacher that repeats what was recorded, by the question's text.
///
/// It annotates with the chains that stand for first answers, rectifies with right ones and
/// corrupts with wrong ones; a further try gets the next. It has no text for what was not recorded.
public struct RecordedTeacher: Teacher {
  public let identity: String
  private let chains: [String: [ChainOfThought]]

  /// - Parameter name: tells these annotations from others: a checksum of their file.
  public init(_ annotations: RecordedAnnotations, name: String) {
    identity = "recorded \(name)"
    chains = Dictionary(
      uniqueKeysWithValues: zip(annotations.questions.map(\.normalisedText), annotations.chains))
  }

  public func answer(_ prompt: TeacherPrompt, _ sampling: TeacherSampling) -> TeacherAnswer {
    let fitting = chains(for: prompt)
    return TeacherAnswer(
      texts: fitting.indices.contains(sampling.attempt) ? [fitting[sampling.attempt].text] : [])
  }

  public func mistake(in text: String, _ prompt: TeacherPrompt) -> Mistake? {
    chains(for: prompt).first { $0.text == text }?.mistake
  }

  private func chains(for prompt: TeacherPrompt) -> [ChainOfThought] {
    (chains[prompt.question.normalisedText] ?? []).filter { chain in
      switch prompt.step {
      case .annotate: [.original, .recorded].contains(chain.origin)
      case .rectify: chain.isCorrect == true && [.rectified, .recorded].contains(chain.origin)
      case .corrupt: chain.isCorrect == false && [.corrupted, .recorded].contains(chain.origin)
      }
    }
  }
}
