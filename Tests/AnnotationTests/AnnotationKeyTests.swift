import Annotation
import Reasoning
import Teachers
import Testing

@Suite("Annotation keys")
struct AnnotationKeyTests {
  private let key = AnnotationKey(
    teacher: "t", prompt: prompt("1"), sampling: TeacherSampling(temperature: 0, maximumTokens: 9))

  @Test("A key's hash stays what it is, or every store would be asked anew")
  func golden() {
    // python3 -c 'import hashlib; f = ["annotation 1", "t", "annotate", "Q: 1?", None, "1", "toy",
    //   "1?", "2", "0", "0.0", None, "9", "0", "0", "0"]; print(hashlib.sha256("".join(
    //   "-," if x is None else f"{len(x)}:{x}," for x in f).encode()).hexdigest())'
    #expect(key.hash == "cf5f46eee599bf3fc8ec279a1db468f4cd1d85d599947ad690e6f630e865514a")
  }

  @Test("Whatever an answer depends on tells keys apart")
  func fields() {
    func key(
      _ teacher: String = "t", _ prompt: TeacherPrompt = prompt("1"),
      _ change: (inout TeacherSampling) -> Void = { _ in }
    ) -> AnnotationKey {
      var sampling = TeacherSampling(temperature: 0, maximumTokens: 9)
      change(&sampling)
      return AnnotationKey(teacher: teacher, prompt: prompt, sampling: sampling)
    }
    func prompted(_ change: (inout TeacherPrompt) -> Void) -> AnnotationKey {
      var prompt = prompt("1")
      change(&prompt)
      return key("t", prompt)
    }
    let keys = [
      key(), key("u"),
      prompted { $0.step = .rectify }, prompted { $0.text += " " },
      prompted { $0.rightResponse = "" }, prompted { $0.rightResponse = "a" },
      prompted { $0.question.id = "2" }, prompted { $0.question.task = "other" },
      prompted { $0.question.answer = nil },
      prompted { $0.question.options = [.init(label: "A", text: "b")] },
      prompted { $0.question.options = [.init(label: "Ab", text: "")] },
      key { $0.temperature = 0.1 }, key { $0.topP = 1 }, key { $0.maximumTokens = 10 },
      key { $0.seed = 1 }, key { $0.attempt = 1 },
      key { $0.stop = ["ab"] }, key { $0.stop = ["a", "b"] },
    ]
    #expect(Set(keys.map(\.hash)).count == keys.count)
    #expect(key().hash == self.key.hash)
  }
}

/// A prompt to annotate the toy question `id`.
func prompt(_ id: String) -> TeacherPrompt {
  TeacherPrompt(
    step: .annotate, question: Question(id: id, task: "toy", text: "\(id)?", answer: "2"),
    text: "Q: \(id)?")
}
