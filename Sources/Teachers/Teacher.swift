import Reasoning

/// Who writes chains of thought: a model behind an endpoint, a file of recorded ones, a simulation.
///
/// The three requests are the paper's three prompts. Each returns nil where the teacher has no
/// fitting chain to give; the caller counts those.
public protocol Teacher: Sendable {
  /// A chain of thought for `question`, right or wrong.
  func annotate(_ question: Question) async throws -> ChainOfThought?

  /// A right chain for `question`, whose gold answer is given as a hint (the Answer Hint Prompt).
  func rectify(_ question: Question) async throws -> ChainOfThought?

  /// A wrong chain for `question`, as near as can be to the right one (the Contrastive CoTs
  /// Prompt).
  func corrupt(_ question: Question, right: ChainOfThought) async throws -> ChainOfThought?
}
