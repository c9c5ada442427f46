import Distillation
import Evaluation
import Experiments
import Reasoning
import Statistics

extension EvaluationResult {
  /// The rows of the CSV that it gives for `split`.
  func metrics(split: String) -> [Metric] {
    var metrics: [Metric] = []
    func add(
      _ name: MetricName, group: String = "", unit: MetricUnit = .fraction, _ estimate: Estimate,
      _ items: MetricItems? = nil
    ) {
      metrics.append(
        Metric(split: split, name, group: group, unit: unit, estimate, items: items))
    }
    if let answers {
      for (name, average) in answers.averages {
        let group: String = if case .task(let task) = name { task } else { "" }
        let items: [Score.Item]? =
          switch name {
          case .micro: answers.score.items
          case .macro: nil
          case .task(let task): answers.score.items.filter { $0.task == task }
          }
        func named(_ metric: MetricName) -> MetricName { name == .macro ? metric.macro : metric }
        add(
          named(.accuracy), group: group, average.accuracy,
          items.map { MetricItems($0.map { (id: $0.id, isTrue: $0.isCorrect) }) })
        add(named(.unparsed), group: group, average.unparsed)
        metrics.append(
          Metric(
            split: split, named(.majorityBaseline), group: group, unit: .fraction,
            value: average.majorityBaseline))
      }
    }
    for (task, steps) in steps.byTask {
      add(
        .stepAccuracy, group: task ?? "", steps.accuracy,
        MetricItems(
          steps.map {
            (id: $0.id, value: Double($0.correctness.right), weight: Double($0.correctness.total))
          }))
    }
    if derivedGoldAnswers > 0 {
      metrics.append(
        Metric(
          split: split, .derivedGoldAnswers, unit: .questions,
          value: Double(derivedGoldAnswers)))
    }
    if let keys = keySteps {
      add(
        .pairwiseAccuracy, keys.prefersChosen,
        MetricItems(pairs.map { (id: $0.id, isTrue: $0.prefersChosen) }))
      add(.keyTokenAccuracy, keys.keyTop1)
      add(
        .keyTokenNLL, unit: .nats, keys.keyNegativeLogLikelihood,
        MetricItems(
          pairs.map {
            (id: $0.id, value: $0.key.negativeLogLikelihood, weight: Double($0.key.count))
          }))
      add(.otherTokenNLL, unit: .nats, keys.otherNegativeLogLikelihood)
    }
    return metrics
  }

  /// What a learning curve has of it: its figures over all questions and all pairs.
  public var validationFigures: [Validation.Figure] {
    metrics(split: "validation")
      .filter {
        $0.key.group.isEmpty
          && ![.majorityBaseline, .majorityBaseline.macro].contains($0.key.name)
      }
      .map { (name: $0.key.name.rawValue, value: $0.value) }
  }
}
