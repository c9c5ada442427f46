import Distillation
import Evaluation
import Experiments
import Files
import KeySteps
import Parameters
import Randomness
import Recipes

/// Which tokens of the rejected response are pushed down.
enum Target: String, CaseIterable {
  case mistake
  case firstRun = "first run"
  case consequences
  case keyTokens = "key tokens"
  case random

  var help: String {
    switch self {
    case .mistake: "KRSL with β on the key tokens of the step in which the teacher went wrong"
    case .firstRun: "the same on the first divergent run"
    case .consequences: "the same on the key tokens after that step"
    case .keyTokens: "the same on all key tokens, which is EDIT"
    case .random: "the same on as many tokens at random places"
    }
  }

  /// For each token of the rejected response of `pair`, one of `training`, whether it is pushed down. Throws where it is
  /// not known in which part of the response the mistake is.
  func mask(
    _ pair: TokenizedPair, of training: TrainingData, _ choice: KeyTokenChoice,
    _ random: inout SeededGenerator
  ) throws -> [Bool] {
    let keys = pair.keyTokens(choice)
    func keyMask(in place: MistakePlace) throws -> [Bool] {
      guard let places = pair.mistakePlaces(training.tokenizer) else {
        throw FileError(
          file: training.file, location: "pair \(pair.id)",
          expected:
            "a rejected chain of which the mistake's place is known, as of a simulated teacher",
          found: "none")
      }
      return zip(keys.rejectedMask, places).map { $0 && $1 == place }
    }
    switch self {
    case .mistake: return try keyMask(in: .within)
    case .consequences: return try keyMask(in: .after)
    case .firstRun: return keys.keepingFirstRunOfRejected().rejectedMask
    case .keyTokens: return keys.rejectedMask
    case .random: return keys.rejectedMask.shuffled(using: &random)
    }
  }
}

/// The forms that a loss with a negative weight may have.
let forms: [String: NegativeForm] = [
  "guarded": .guarded(above: 20), "clipped": .clipped(at: 5), "unlikelihood": .unlikelihood,
]

let experiment = Experiment(
  distillation: "mistake-or-consequence",
  question: "Should stage 2 push down the mistake, or what follows from it?",
  arms: [
    Arm("right only", then: .chosenOnly, without: ["negative_form"], help: "KRSL without β")
  ]
    + Target.allCases.map { target in
      // The pairs of a file do not say where the mistake is.
      let isMarked = [.mistake, .consequences].contains(target)
      return Arm(
        target.rawValue, then: .keySteps, optional: isMarked ? .pretrained : .never,
        help: target.help)
    },
  reference: "right only",
  settings: DistillationSetup.settings(objectives: [.keySteps, .chosenOnly]).withHarderProblems()
    .with("beta", [.number(-0.025), .number(-0.1), .number(-0.5)], smoke: [.number(-0.1)]) + [
      Setting(
        "negative_form", .choice(forms.keys.sorted()), forms.keys.sorted().map { .text($0) },
        smoke: [.text("guarded")],
        help: "-log p with a guard at 20 nats, clipped at 5 nats, or -log(1 - p)")
    ],
  seeds: 10,
  summary: .accuracies + [
    MetricKey("in domain", .keyTokenNLL), MetricKey(.rejectedTokens),
  ],
  example: """
    make experiment NAME=mistake-or-consequence ARGS="--beta -0.5 --seeds 3"
    """
) { setup, run in
  guard let target = Target(rawValue: run.settings.arm) else {
    return try setup.run(run, then: .chosenOnly)
  }
  let values = ParameterValues(ObjectiveEntry.keySteps.parameters, given: run.settings.values)
  let (weights, choice) = (KeyStepWeights(values), KeyTokenChoice(values))
  let training = setup.training(run.settings)
  var random = SeededGenerator(seed: run.settings.seed, stream: "random positions")
  let masks = try training.pairs.map { try target.mask($0, of: training, choice, &random) }
  let examples = zip(training.pairs, masks).map { pair, mask in
    Objective.example(
      pair, chosen: weights.chosen(pair.keyTokens(choice)),
      rejected: mask.map { $0 ? weights.beta : 0 })
  }
  let objective = Objective(
    examples: examples, negatives: forms[run.settings.text("negative_form")] ?? .plain)
  let first = try setup.firstStage(run, on: training.chains)
  let student = try setup.secondStudent(after: first, run.settings)
  let tokens = masks.reduce(0) { $0 + $1.count { $0 } }
  return try setup.secondStage(student, objective, run)
    + [
      Metric(
        .rejectedTokens, unit: .fraction,
        value: Double(tokens) / Double(masks.reduce(0) { $0 + $1.count }))
    ] + setup.measure(student, run)
}

experiment.main()
