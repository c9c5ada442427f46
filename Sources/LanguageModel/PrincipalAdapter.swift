import Checkpoints
import LinearAlgebra

extension LowRankAdapter {
  /// How an adapter's factors begin.
  public enum Start: String, CaseIterable, Sendable, Codable {
    /// A as noise and B as zero (2106.09685).
    case noise
    /// Both from the principal singular values of the weight they adapt (PiSSA, 2404.02948).
    case pissa
  }
}

/// An adapter that does not fit the model.
public enum AdapterError: Error, Hashable, CustomStringConvertible {
  /// Its rank is too large for a projection, whose weight is [outputs, inputs].
  case rank(Int, of: ProjectionName, outputs: Int, inputs: Int)
  /// The model does not have a projection that it is for.
  case unknownTarget(ProjectionName, known: [ProjectionName])

  public var description: String {
    switch self {
    case .rank(let rank, let projection, let outputs, let inputs):
      "\(projection.rawValue): expected a rank from 1 to \(min(outputs, inputs)) for its "
        + "\(outputs) × \(inputs) weight, found \(rank)"
    case .unknownTarget(let projection, let known):
      "target module \(projection.rawValue): expected "
        + known.map(\.rawValue).joined(separator: ", ") + ", the projections of this model"
    }
  }
}

extension Decoder {
  /// This model with an adapter that starts from the principal singular values of its projections
  /// (PiSSA), and with what the adapter holds taken out of the projections themselves, so that
  /// together they are at first the plain model:
  ///
  ///     W = U Σ Vᵀ    A = √(Σ_r / s) V_rᵀ    B = U_r √(Σ_r / s)    W ← W - s B A
  ///
  /// with s = alpha / rank. This model's own parameters stay as they are; the new one has a copy.
  /// Source: Meng et al., 2404.02948, section 3, and PEFT's `pissa_init` for s.
  ///
  /// Throws an `AdapterError` where the rank is more than a projection has, a `LAPACKError` where a
  /// decomposition fails. Precondition: the scale is above zero.
  public func adaptedByPrincipalValues(_ low: LowRankConfiguration) throws -> Decoder {
    precondition(low.scale > 0, "a scale of \(low.scale) has no root")
    try low.checkTargets(for: configuration)
    for target in low.targets {
      let (outputs, inputs) = target.shape(configuration)
      guard (1...min(outputs, inputs)).contains(low.rank) else {
        throw AdapterError.rank(low.rank, of: target, outputs: outputs, inputs: inputs)
      }
    }
    let residual = weights.copy(configuration)
    let factors = LowRankAdapter.emptyStore(low, configuration)
    let places = (0..<configuration.layerCount).flatMap { layer in
      low.targets.map { (layer: layer, target: $0) }
    }
    let model = configuration
    try parallel(places.count, sharing: (residual, factors)) { index, stores in
      let (residual, factors) = stores
      let (layer, target) = places[index]
      let name = model.architecture.family.weight(target, layer: layer)
      let weight = residual.matrix(name)
      let a = factors.matrix(LowRankAdapter.name(target, layer, "A", model))
      let b = factors.matrix(LowRankAdapter.name(target, layer, "B", model))
      let (u, values, vTransposed) = try Matrix<Float>(
        rows: weight.rows, columns: weight.columns, elements: Array(residual[name])
      ).singularValueDecomposition()
      for k in 0..<low.rank {
        let root = (values[k] / low.scale).squareRoot()
        for j in 0..<weight.columns { a[k, j] = root * vTransposed[k, j] }
        for i in 0..<weight.rows { b[i, k] = root * u[i, k] }
      }
      multiply(b, a, into: weight, scale: -low.scale, adding: true)
    }
    return Decoder(configuration, parameters: residual)
      .adapted(by: LowRankAdapter(low, startingFrom: factors, for: configuration))
  }
}
