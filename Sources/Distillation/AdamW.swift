import CKernels
import Foundation
import LanguageModel

/// AdamW's settings (Loshchilov and Hutter, 1711.05101).
public struct AdamWSettings: Sendable, Hashable, Codable {
  public var beta1: Float
  public var beta2: Float
  public var epsilon: Float
  public var weightDecay: Float
  /// Whether norms and biases decay too, as `torch.optim.AdamW` has it when it is given them all;
  /// Transformers' Trainer, and so the default here, leaves them out.
  public var decaysVectors: Bool

  public init(
    beta1: Float = 0.9, beta2: Float = 0.999, epsilon: Float = 1e-8, weightDecay: Float = 0,
    decaysVectors: Bool = false
  ) {
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.weightDecay = weightDecay
    self.decaysVectors = decaysVectors
  }
}

/// The optimiser with its state: first and second moments of each parameter, and the steps taken.
public final class AdamW {
  public let settings: AdamWSettings
  public let firstMoments: ParameterStore
  public let secondMoments: ParameterStore
  public package(set) var stepCount = 0

  public init(_ settings: AdamWSettings, for parameters: ParameterStore) {
    self.settings = settings
    firstMoments = parameters.zeros()
    secondMoments = parameters.zeros()
  }

  /// One step: moments from `gradientScale` × `gradients`, then parameters, the decay decoupled.
  ///
  ///     m ← β1 m + (1-β1) g      v ← β2 v + (1-β2) g²
  ///     θ ← (1 - η λ) θ - η / (1-β1^t) · m / (√v / √(1-β2^t) + ε)
  public func step(
    _ parameters: ParameterStore, gradients: ParameterStore, gradientScale: Float,
    learningRate: Float, workers: Int
  ) {
    precondition(parameters.slots == firstMoments.slots && gradients.slots == firstMoments.slots)
    stepCount += 1
    let correction1 = Float(1 - pow(Double(settings.beta1), Double(stepCount)))
    let correction2 = Float(1 - pow(Double(settings.beta2), Double(stepCount)))
    let s = settings
    // Runs of parameters that decay alike, cut into blocks that are dealt out to the workers.
    var blocks: [(range: Range<Int>, decay: Float)] = []
    for slot in parameters.slots {
      let decay = slot.shape.count > 1 || s.decaysVectors ? s.weightDecay : 0
      let end = slot.offset + slot.count
      if let last = blocks.last, last.decay == decay, last.range.count < Self.blockLength {
        blocks[blocks.count - 1].range = last.range.lowerBound..<end
      } else {
        blocks.append((slot.offset..<end, decay))
      }
    }
    let cut = blocks.flatMap { block in
      stride(from: block.range.lowerBound, to: block.range.upperBound, by: Self.blockLength).map {
        ($0..<min($0 + Self.blockLength, block.range.upperBound), block.decay)
      }
    }
    let stores = (parameters, gradients, firstMoments, secondMoments)
    concurrently(workers, sharing: stores) { worker, stores in
      let (parameters, gradients, firstMoments, secondMoments) = stores
      for index in stride(from: worker, to: cut.count, by: workers) {
        let (range, decay) = cut[index]
        let at = range.lowerBound
        ks_adamw(
          parameters.buffer.base + at, gradients.buffer.base + at,
          firstMoments.buffer.base + at, secondMoments.buffer.base + at, range.count, gradientScale,
          learningRate, s.beta1,
          s.beta2, s.epsilon, decay, correction1, correction2)
      }
    }
    parameters.didChange()
  }

  private static let blockLength = 1 << 18
}
