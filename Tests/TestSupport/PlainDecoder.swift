import Foundation

/// The LLaMA-family decoder in Double, one token and one coordinate at a time: nothing packed,
/// cached, fused or shared.
///
/// The reference for the fast decoder's losses and gradients. Parameters are given by
/// their checkpoint names, row-major, a projection as [out, in].
package struct PlainDecoder {
  package enum RopeScaling {
    case linear(factor: Double)
    case llama3(factor: Double, low: Double, high: Double, originalPositions: Double)
  }

  package var layers: Int
  package var heads: Int
  package var keyValueHeads: Int
  package var headDimension: Int
  package var epsilon: Double
  package var ropeTheta: Double
  package var ropeScaling: RopeScaling?
  /// alpha / rank of the low-rank updates, whose factors are among the parameters.
  package var lowRankScale: Double
  /// A projection's bias and low-rank factors, and norms of heads, count where they are here; the embedding is the
  /// output projection where `lm_head.weight` is not.
  package var parameters: [String: [Double]]

  package init(
    layers: Int, heads: Int, keyValueHeads: Int, headDimension: Int, epsilon: Double,
    ropeTheta: Double, ropeScaling: RopeScaling?, lowRankScale: Double,
    parameters: [String: [Double]]
  ) {
    self.layers = layers
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headDimension = headDimension
    self.epsilon = epsilon
    self.ropeTheta = ropeTheta
    self.ropeScaling = ropeScaling
    self.lowRankScale = lowRankScale
    self.parameters = parameters
  }

  /// -log p of `tokens[i]` given all before it, and the entropy of that prediction, for i from 1.
  package func predictions(of tokens: [Int]) -> [(negativeLogLikelihood: Double, entropy: Double)] {
    let hidden = finalStates(of: tokens)
    let output = parameters["lm_head.weight"] ?? tensor("model.embed_tokens.weight")
    return zip(hidden, tokens.dropFirst()).map { x, target in
      let logits = product(output, x)
      let largest = logits.max() ?? 0
      let exponentials = logits.map { exp($0 - largest) }
      let sum = exponentials.reduce(0, +)
      let entropy = exponentials.reduce(0.0) { $1 > 0 ? $0 - $1 / sum * log($1 / sum) : $0 }
      return (log(sum) + largest - logits[target], entropy)
    }
  }

  /// The final norm's result at each position.
  private func finalStates(of tokens: [Int]) -> [[Double]] {
    let embedding = tensor("model.embed_tokens.weight")
    let width = tensor("model.norm.weight").count
    var states = tokens.map { Array(embedding[$0 * width..<($0 + 1) * width]) }
    for layer in 0..<layers {
      let prefix = "model.layers.\(layer)."
      let attended = attention(states, prefix + "self_attn.", norm: prefix + "input_layernorm")
      for t in states.indices {
        states[t] = sum(states[t], attended[t])
        let normed = norm(states[t], prefix + "post_attention_layernorm")
        let gate = projection(normed, prefix + "mlp.gate_proj")
        let up = projection(normed, prefix + "mlp.up_proj")
        let activated = zip(gate, up).map { $0 / (1 + exp(-$0)) * $1 }
        states[t] = sum(states[t], projection(activated, prefix + "mlp.down_proj"))
      }
    }
    return states.map { norm($0, "model.norm") }
  }

  private func attention(_ states: [[Double]], _ prefix: String, norm normName: String)
    -> [[Double]]
  {
    let normed = states.map { norm($0, normName) }
    let queries = normed.enumerated().map {
      rotated(headNorm(projection($1, prefix + "q_proj"), prefix + "q_norm"), $0)
    }
    let keys = normed.enumerated().map {
      rotated(headNorm(projection($1, prefix + "k_proj"), prefix + "k_norm"), $0)
    }
    let values = normed.map { projection($0, prefix + "v_proj") }
    let d = headDimension
    return states.indices.map { t in
      var attended: [Double] = []
      for head in 0..<heads {
        let shared = head / (heads / keyValueHeads)
        let scores = (0...t).map { s in
          (0..<d).reduce(0.0) { $0 + queries[t][head * d + $1] * keys[s][shared * d + $1] }
            / Double(d).squareRoot()
        }
        let largest = scores.max() ?? 0
        let exponentials = scores.map { exp($0 - largest) }
        let sum = exponentials.reduce(0, +)
        for j in 0..<d {
          attended.append(
            (0...t).reduce(0.0) { $0 + exponentials[$1] / sum * values[$1][shared * d + j] })
        }
      }
      return projection(attended, prefix + "o_proj")
    }
  }

  /// Each head turned by the angle of `position`: coordinates j and j + d/2 by position · θ^(-2j/d).
  private func rotated(_ x: [Double], _ position: Int) -> [Double] {
    let half = headDimension / 2
    var y = x
    for start in stride(from: 0, to: x.count, by: headDimension) {
      for j in 0..<half {
        let angle = Double(position) * frequency(j)
        let (a, b) = (x[start + j], x[start + half + j])
        y[start + j] = a * cos(angle) - b * sin(angle)
        y[start + half + j] = b * cos(angle) + a * sin(angle)
      }
    }
    return y
  }

  private func frequency(_ j: Int) -> Double {
    let plain = pow(ropeTheta, -2 * Double(j) / Double(headDimension))
    switch ropeScaling {
    case nil: return plain
    case .linear(let factor): return plain / factor
    case .llama3(let factor, let low, let high, let original):
      // Turns within the original context: all of `high` and above stay, `low` and below stretch.
      let turns = original * plain / (2 * .pi)
      let kept = min(max((turns - low) / (high - low), 0), 1)
      return kept * plain + (1 - kept) * plain / factor
    }
  }

  private func norm(_ x: [Double], _ name: String) -> [Double] {
    let meanSquare = x.reduce(0) { $0 + $1 * $1 } / Double(x.count)
    return zip(x, tensor(name + ".weight")).map { $0 / (meanSquare + epsilon).squareRoot() * $1 }
  }

  /// Each head normed by itself, where there is such a norm.
  private func headNorm(_ x: [Double], _ name: String) -> [Double] {
    guard parameters[name + ".weight"] != nil else { return x }
    return stride(from: 0, to: x.count, by: headDimension).flatMap {
      norm(Array(x[$0..<$0 + headDimension]), name)
    }
  }

  private func projection(_ x: [Double], _ name: String) -> [Double] {
    var y = product(tensor(name + ".weight"), x)
    if let bias = parameters[name + ".bias"] { y = sum(y, bias) }
    if let a = parameters[name + ".lora_A.weight"], let b = parameters[name + ".lora_B.weight"] {
      y = sum(y, product(b, product(a, x)).map { lowRankScale * $0 })
    }
    return y
  }

  private func product(_ matrix: [Double], _ x: [Double]) -> [Double] {
    (0..<matrix.count / x.count).map { i in
      var sum = 0.0
      for j in x.indices { sum += matrix[i * x.count + j] * x[j] }
      return sum
    }
  }

  private func sum(_ x: [Double], _ y: [Double]) -> [Double] { zip(x, y).map { $0 + $1 } }

  private func tensor(_ name: String) -> [Double] {
    guard let tensor = parameters[name] else { preconditionFailure("no tensor is called \(name)") }
    return tensor
  }
}
