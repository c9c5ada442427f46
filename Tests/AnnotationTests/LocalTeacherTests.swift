import Annotation
import Distillation
import Foundation
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
    let identity = try LocalTeacher.identity(of: [path])
    #expect(
      try identity.hasPrefix("local \(path) ") && identity == LocalTeacher.identity(of: [path]))
    let teacher = try LocalTeacher(Student(path: path), identity: identity, workers: 2, batch: 4)
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
    let teacher = try LocalTeacher(student, identity: "local", workers: 1, batch: 2)
    let question = Question(id: "q", task: "t", text: "", answer: "1")
    func text(_ sampling: TeacherSampling, prompt: String = "10 20") async throws -> String? {
      let prompt = TeacherPrompt(step: .annotate, question: question, text: prompt)
      return try await teacher.answer(prompt, sampling).texts.first
    }
    var sampling = TeacherSampling(temperature: 1, maximumTokens: 8)
    let whole = try #require(try await text(sampling))
    let words = whole.split(separator: " ")
    try #require(words.count > 2)
    sampling.stop = [" \(words[1])"]
    #expect(try await text(sampling) == String(words[0]))
    sampling.stop = []
    sampling.attempt = 1
    #expect(try await text(sampling) != whole)
    let long = Array(repeating: "10", count: 10_000).joined(separator: " ")
    #expect(try await text(sampling, prompt: long) == nil)
  }
}
