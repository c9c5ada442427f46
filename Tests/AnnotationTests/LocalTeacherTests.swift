import Annotation
import Distillation
import Files
import Foundation
import LanguageModel
import Reasoning
import Teachers
import TestSupport
import Testing

@Suite("A local teacher")
struct LocalTeacherTests {
  @Test("answers each prompt as it would by itself, however many arrive together")
  func together() async throws {
    let folder = NSTemporaryDirectory() + "local-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let path = try numberedModel(in: folder)
    let teacher = try LocalTeacher(
      Student(path: path), identity: "local", workers: Workers(count: 2), batch: 4)
    let prompts = (0..<10).map { number in
      TeacherPrompt(
        step: .annotate, question: Question(id: "\(number)", task: "t", text: "", answer: "1"),
        text: "\(10 + number) \(20 + number)")
    }
    for temperature in [0, 0.8] {
      let sampling = TeacherSampling(temperature: temperature, maximumTokens: 6)
      let together = try await withThrowingTaskGroup(of: (Int, TeacherAnswer).self) {
        group -> [Int: TeacherAnswer] in
        for (number, prompt) in prompts.enumerated() {
          group.addTask { (number, try await teacher.answer(prompt, sampling)) }
        }
        return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
      }
      for (number, prompt) in prompts.enumerated() {
        let alone = try await teacher.answer(prompt, sampling)
        #expect(alone == together[number])
        #expect(alone.promptTokens == 2 && 1...6 ~= alone.completionTokens ?? 0)
        if alone.completionTokens ?? 0 < 6 { #expect(alone.ending == .complete) }
      }
    }
  }

  @Test(
    "ends a text where it is told to, draws anew on a new try, and has none for too long a prompt")
  func details() async throws {
    let folder = NSTemporaryDirectory() + "local-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let student = try Student(path: try numberedModel(in: folder))
    let most = try #require(student.exampleTokenizer().maximumTokens)
    let teacher = try LocalTeacher(student, identity: "local", workers: Workers(count: 1), batch: 2)
    let question = Question(id: "q", task: "t", text: "", answer: "1")
    func prompt(_ text: String) -> TeacherPrompt {
      TeacherPrompt(step: .annotate, question: question, text: text)
    }
    func text(_ sampling: TeacherSampling, prompt text: String = "10 20") async throws -> String? {
      try await teacher.answer(prompt(text), sampling).texts.first
    }
    var sampling = TeacherSampling(temperature: 1, maximumTokens: 8)
    let whole = try #require(try await text(sampling))
    let words = whole.split(separator: " ")
    try #require(words.count > 2)
    sampling.stop = [" \(words[1])"]
    #expect(try await text(sampling) == String(words[0]))
    // The stop text ends what the limit cuts off.
    #expect(try await teacher.answer(prompt("10 20"), sampling).ending == .complete)
    sampling.stop = []
    sampling.attempt = 1
    #expect(try await text(sampling) != whole)
    func tens(_ count: Int) -> String {
      Array(repeating: "10", count: count).joined(separator: " ")
    }
    #expect(teacher.fits(prompt(tens(most - 1))) && !teacher.fits(prompt(tens(most))))
    #expect(try await text(sampling, prompt: tens(most)) == nil)
  }

  @Test("is known by what is in its files, not by where they lie or when they were written")
  func identity() throws {
    let folder = NSTemporaryDirectory() + "local-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let (one, other) = (try numberedModel(in: folder), try numberedModel(in: folder))
    let identity = try LocalTeacher.identity(of: one)
    #expect(try identity == LocalTeacher.identity(of: other))
    try Data("Read me.".utf8).write(to: URL(fileURLWithPath: other + "/README.md"))
    #expect(try identity == LocalTeacher.identity(of: other))

    let weights = URL(fileURLWithPath: other + "/model.safetensors")
    let alone = try LocalTeacher.identity(of: weights.path)
    #expect(alone == identity)
    let date = try weights.resourceValues(forKeys: [.contentModificationDateKey])
    var bytes = try Data(contentsOf: weights)
    bytes[bytes.count - 1] ^= 1
    try bytes.write(to: weights)
    try FileManager.default.setAttributes(
      [.modificationDate: try #require(date.contentModificationDate)], ofItemAtPath: weights.path)
    #expect(try identity != LocalTeacher.identity(of: other))
    #expect(try alone != LocalTeacher.identity(of: weights.path))

    let adapted = try LocalTeacher.identity(of: one, adapter: other)
    #expect(try adapted == identity + " with " + LocalTeacher.identity(of: other).dropFirst(6))
    #expect(throws: (any Error).self) { try LocalTeacher.identity(of: folder + "/none") }
  }
}
