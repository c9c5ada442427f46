import Checkpoints
import LinearAlgebra

/// What training changed in the projections, ΔW [out, in].
extension LowRankAdapter {
  /// Factors L [out, k] and R [k, in] of what training changed in a projection,
  ///
  ///     L R = ΔW = (alpha / r) (B A - B₀ A₀)
  ///
  /// with B₀ A₀ what the adapter began with: k is r where that was nothing, else 2 r. Precondition:
  /// `target` in that layer is one of the adapter's.
  public func update(of target: ProjectionName, layer: Int) -> (
    left: Matrix<Double>, right: Matrix<Double>
  ) {
    guard let rank = rank(of: target, layer: layer) else {
      preconditionFailure("no update of \(target.rawValue) in layer \(layer)")
    }
    let left = columnsBesideStart(Self.name(target, layer, "B", model))
    let right = rowsAboveStart(Self.name(target, layer, "A", model))
    let scale = Double(scale(of: target, layer: layer, rank: rank))
    let columns = rank * (start == nil ? 1 : 2)
    return (
      Matrix(
        rows: left.count / columns, columns: columns, elements: left.map { scale * Double($0) }),
      Matrix(rows: columns, columns: right.count / columns, elements: right.map(Double.init))
    )
  }
}

extension Decoder {
  /// A projection's own weight W [out, in], without what an adapter adds to it.
  public func weight(of target: ProjectionName, layer: Int) -> Matrix<Double> {
    let (rows, columns) = target.shape(configuration)
    let name = configuration.architecture.family.weight(target, layer: layer)
    let values = weights.values(name).map(Double.init)
    return Matrix(rows: rows, columns: columns, elements: values)
  }

  /// The plain model that does what this one does: (alpha / r) B A added to a copy of each weight that
  /// its adapter is on.
  public func merged() -> Decoder {
    let merged = weights.copy(configuration)
    if let adapter {
      let family = configuration.architecture.family
      for layer in 0..<configuration.layerCount {
        for target in adapter.configuration.targets {
          guard let rank = adapter.rank(of: target, layer: layer) else { continue }
          multiply(
            adapter.parameters.matrix(LowRankAdapter.name(target, layer, "B", configuration)),
            adapter.parameters.matrix(LowRankAdapter.name(target, layer, "A", configuration)),
            into: merged.matrix(family.weight(target, layer: layer)),
            scale: adapter.scale(of: target, layer: layer, rank: rank), adding: true)
        }
      }
    }
    return Decoder(configuration, parameters: merged)
  }
}
