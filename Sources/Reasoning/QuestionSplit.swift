import Randomness

/// Which questions are for training, which for validation, which for the test: seeded, and written
/// down with a run.
///
/// The split depends on the seed and the questions alone, not on their order. Questions that
/// repeat, in their normalised text, go together.
public struct QuestionSplit: Hashable, Codable, Sendable {
  public enum Part: String, Codable, Sendable, CaseIterable { case train, validation, test }

  public let seed: UInt64
  /// The ids of each part's questions, sorted.
  public let train: [String]
  public let validation: [String]
  public let test: [String]

  /// Splits `questions` (an id and a text each) at random.
  ///
  /// A part takes whole groups of repeated questions until it has at least as many as asked for;
  /// the rest is for training.
  ///
  /// - Parameters:
  ///   - validation, test: how many questions each takes.
  public init(_ questions: [(id: String, text: String)], validation: Int, test: Int, seed: UInt64) {
    precondition(
      validation >= 0 && test >= 0, "\(validation) validation and \(test) test questions")
    let groups = Dictionary(grouping: questions) { Question.normalised($0.text) }
      .sorted { $0.key < $1.key }.map { $0.value.map(\.id) }
    var random = SeededGenerator(seed: seed, stream: "question split")
    var rest = groups.shuffled(using: &random)[...]
    func take(_ count: Int) -> [String] {
      var taken: [String] = []
      while taken.count < count, let group = rest.popFirst() { taken += group }
      return taken.sorted()
    }
    self.seed = seed
    self.test = take(test)
    self.validation = take(validation)
    train = take(.max)
  }

  /// The part of each question, by id.
  public var parts: [String: Part] {
    Dictionary(
      train.map { ($0, .train) } + validation.map { ($0, .validation) } + test.map { ($0, .test) },
      uniquingKeysWith: { first, _ in first })
  }
}
