import ArgumentParser
import Distillation
import Foundation
import KeySteps

/// Which tokens of a pair are key tokens.
struct KeyTokenOptions: ParsableArguments {
  @Flag(help: "Take both sides' key tokens from one edit script instead of one for each side.")
  var sharedScript = false
  @Flag(help: "Keep the rejected side's key tokens only in their first unbroken run.")
  var firstWrongRun = false

  var choice: KeyTokenChoice {
    KeyTokenChoice(sharesScript: sharedScript, onlyFirstWrongRun: firstWrongRun)
  }
}

/// The weights of key reasoning steps learning.
struct KeyStepOptions: ParsableArguments {
  @Option(help: "Weight of the chosen response's key tokens.")
  var alpha: Float = 1
  @Option(help: "Weight of the rejected response's key tokens; negative pushes them down.")
  var beta: Float = -0.025
  @Option(help: "Weight of the chosen response's other tokens.")
  var gamma: Float = 0
  @Option(
    name: .customLong("guard"),
    help: "Rejected tokens whose -log p is above this many nats are let be.")
  var guardThreshold: Float = 20

  var weights: KeyStepWeights { KeyStepWeights(alpha: alpha, beta: beta, gamma: gamma) }

  func validate() throws {
    for (name, value) in [("alpha", alpha), ("beta", beta), ("gamma", gamma)] where !value.isFinite
    {
      throw ValidationError("--\(name) wants a finite number, not \(value)")
    }
    if guardThreshold.isNaN { throw ValidationError("--guard wants a number of nats") }
  }
}

/// How many threads share the work.
struct WorkerOptions: ParsableArguments {
  @Option(help: "Workers that share each step; as many as there are cores where left out.")
  var workers: Int = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard (1...256).contains(workers) else {
      throw ValidationError("--workers wants a number from 1 to 256, not \(workers)")
    }
  }
}
