import Distillation
import Evaluation
import Experiments
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

  /// The chosen one of each token of the pair's rejected response.
  func mask(
    _ pair: TokenizedPair, _ choice: KeyTokenChoice, _ tokenizer: ExampleTokenizer,
    _ random: inout SeededGenerator
  ) -> [Bool] {
    let keys = pair.keyTokens(choice)
    func keyMask(in place: MistakePlace) -> [Bool] {
      // A simulated teacher says where its mistake is.
      let places = pair.mistakePlaces(tokenizer) ?? pair.rejected.map { _ in .before }
      return zip(keys.rejectedMask, places).map { $0 && $1 == place }
    }
    switch self {
    case .mistake: return keyMask(in: .within)
    case .consequences: return keyMask(in: .after)
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
  ] + Target.allCases.map { Arm($0.rawValue, then: .keySteps, help: $0.help) },
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
  let masks = training.pairs.map { target.mask($0, choice, training.tokenizer, &random) }
  let examples = zip(training.pairs, masks).map { pair, mask in
    Objective.example(
      pair, chosen: weights.chosen(pair.keyTokens(choice)),
      rejected: mask.map { $0 ? weights.beta : 0 })
  }
  let objective = Objective(
    examples: examples, negatives: forms[run.settings.text("negative_form")] ?? .plain)
  let student = try setup.firstStage(run, on: training.chains)
  let tokens = masks.reduce(0) { $0 + $1.count { $0 } }
  return try setup.secondStage(student, objective, run)
    + [
      Metric(
        .rejectedTokens, unit: .fraction,
        value: Double(tokens) / Double(masks.reduce(0) { $0 + $1.count }))
    ] + setup.measure(student, run)
}

experiment.main()
