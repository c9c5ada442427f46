import Distillation
import Experiments
import KeySteps
import Randomness

let usesCheckpoint = DistillationSetup.usesCheckpoint()

let experiment = Experiment(
  name: "key-step-ratio", outputName: usesCheckpoint ? "key-step-ratio.checkpoint" : nil,
  question: "Which weights on key tokens, if any, make EDIT's second stage help?",
  arms: [
    Arm(
      "stage 1", without: ["alpha", "beta", "gamma", "guard", "learning_rate", "stage2_steps"],
      help: "supervised fine-tuning on right chains, original and rectified"),
    Arm(
      "stage 1 longer", without: ["alpha", "beta", "gamma", "guard"],
      help: "stage 1 trained on for as many steps as stage 2 takes"),
    Arm("KRSL", help: "stage 2: key tokens weighted"),
    Arm(
      "random positions", without: ["alpha", "beta", "gamma"],
      help: "stage 2 with as many weighted tokens at random places, weighted as in the paper"),
  ],
  reference: "stage 1",
  settings: DistillationSetup.settings(checkpoint: usesCheckpoint) + [
    Setting(
      "learning_rate", .number(0...1), [.number(usesCheckpoint ? 5e-5 : 1e-4)],
      help: "of the second stage, the same for every arm"),
    Setting("alpha", .number(0...100), [.integer(1)], help: "weight of right key tokens"),
    Setting(
      "beta", .number(-100...0),
      usesCheckpoint
        ? [.number(-0.1), .number(-0.025), .integer(0)]
        : [.number(-0.5), .number(-0.1), .number(-0.025), .integer(0)],
      smoke: [.number(-0.025)], help: "weight of wrong key tokens; the ratio is beta / alpha"),
    Setting(
      "gamma", .number(0...100), usesCheckpoint ? [.integer(0)] : [.integer(0), .integer(1)],
      smoke: [.integer(0)], help: "weight of the right chain's other tokens"),
    Setting(
      "guard", .number(0...1000), [.integer(20)],
      help: "nats above which wrong tokens are let be"),
  ],
  seeds: usesCheckpoint ? 3 : 6,
  summary: [
    "validation accuracy", "in domain accuracy", "out of domain accuracy",
    "in domain prefers right chain", "in domain key tokens top-1",
  ],
  example: """
    make experiment NAME=key-step-ratio ARGS="--beta -0.1,-0.025,0 --gamma 0 --seeds 5"
    """
) { context in
  let setup = try DistillationSetup(context)
  return Prepared(checksums: setup.checksums, notes: setup.notes) { run in
    let chains = setup.data.right + setup.data.rectified
    let student = try setup.firstStage(run, on: chains)
    let settings = run.settings
    var training: [Metric] = []
    if settings.arm == "stage 1 longer" {
      training = try setup.secondStage(student, .chainsOfThought(chains), run)
    } else if settings.arm != "stage 1" {
      let guardThreshold = Float(settings.number("guard"))
      let objective: Objective
      if settings.arm == "KRSL" {
        let weights = KeyStepWeights(
          alpha: Float(settings.number("alpha")), beta: Float(settings.number("beta")),
          gamma: Float(settings.number("gamma")))
        objective = .keySteps(setup.data.pairs, weights: weights, guardThreshold: guardThreshold)
      } else {
        var generator = SeededGenerator(seed: settings.seed, stream: "random positions")
        objective = .randomPositions(
          setup.data.pairs, guardThreshold: guardThreshold, using: &generator)
      }
      training = try setup.secondStage(student, objective, run)
    }
    return training + (try setup.measure(student, run))
  }
}

experiment.main()
