import CKernels
import Foundation
import Randomness
import TestSupport
import Testing

/// Each C kernel against its plain twin in Double, at sizes around the vector lengths.
///
/// Tolerances follow from u = 2⁻²⁴, the relative error of one rounding: a sum of n terms in any
/// order is off by at most n u Σ |terms|, a product or quotient by u of itself, the vectorised
/// exponential by 2 ulp, which is at most 4 u, and an exponential's argument a, itself off by k
/// roundings, adds k u |a|. Roundings of one expression are added up, terms in u² left out.
@Suite struct KernelTests {
  static let sizes = [0, 1, 15, 16, 17, 97, 576]
  static let positiveSizes = [1, 15, 16, 17, 97, 576]

  // MARK: Normalisation

  @Test("RMSNorm, forward, again and backward", arguments: positiveSizes, [0, 1] as [Float])
  func rmsNorm(n: Int, offset: Float) {
    var noise = Noise(n)
    let (rows, epsilon) = (3, Float(1e-5))
    let x = noise.floats(rows * n)
    let (weight, dy) = (noise.floats(n), noise.floats(rows * n))
    var y = x
    var inverseRMS = [Float](repeating: 0, count: rows)
    ks_rms_norm(x, weight, offset, epsilon, &y, &inverseRMS, rows, n)
    var again = x
    ks_rms_norm_recompute(x, weight, offset, inverseRMS, &again, rows, n)
    let (dxBefore, dWeightBefore) = (noise.floats(rows * n), noise.floats(n))
    var (dx, dWeight) = (dxBefore, dWeightBefore)
    ks_rms_norm_backward(x, weight, offset, inverseRMS, dy, &dx, &dWeight, rows, n)

    var dWeightExpected = dWeightBefore.map(Double.init)
    var dWeightMagnitude = dWeightExpected.map(abs)
    // The offset is exact; its sum with the weight is one rounding more, counted below.
    let w = weight.map { Double(offset) + Double($0) }
    for i in 0..<rows {
      let row = i * n..<(i + 1) * n
      let (xi, dyi) = (x[row].map(Double.init), dy[row].map(Double.init))
      let exact = PlainKernels.inverseRMS(xi, epsilon: Double(epsilon))
      // The sum's n roundings and three more, halved by the root, then root and quotient.
      let relative = (Double(n + 3) / 2 + 2) * u
      expect(inverseRMS[i...i], [exact], within: [relative * exact])
      let expected = PlainKernels.rmsNorm(xi, w, inverseRMS: exact)
      expect(y[row], expected, within: expected.map { (relative + 3 * u) * abs($0) })

      let s = Double(inverseRMS[i])
      let same = PlainKernels.rmsNorm(xi, w, inverseRMS: s)
      expect(again[row], same, within: same.map { 3 * u * abs($0) })
      let (dxExpected, dWeightRow) = PlainKernels.rmsNormBackward(xi, w, inverseRMS: s, dy: dyi)
      let sum = (0..<n).reduce(0) { $0 + abs(dyi[$1] * w[$1] * xi[$1]) }
      let before = dxBefore[row].map(Double.init)
      expect(
        dx[row], zip(before, dxExpected).map { $0 + $1 },
        within: (0..<n).map { j in
          let along = sum * s * s * s / Double(n) * abs(xi[j])
          return Double(n + 9) * u * along + 5 * u * (abs(before[j]) + abs(dyi[j] * w[j] * s))
        })
      for j in 0..<n {
        dWeightExpected[j] += dWeightRow[j]
        dWeightMagnitude[j] += abs(dWeightRow[j])
      }
    }
    expect(dWeight, dWeightExpected, within: dWeightMagnitude.map { Double(rows + 2) * u * $0 })

    // Without room for the weight's gradient, x's is the same.
    var alone = dxBefore
    ks_rms_norm_backward(x, weight, offset, inverseRMS, dy, &alone, nil, rows, n)
    #expect(alone == dx)
  }

  @Test("RMSNorm of a row of zeros is zero, and of huge and tiny rows finite")
  func rmsNormExtremes() {
    for magnitude in [0, 1e-20, 1e18] as [Float] {
      let x = [Float](repeating: magnitude, count: 17)
      var (y, inverseRMS) = (x, [Float(0)])
      ks_rms_norm(x, [Float](repeating: 2, count: 17), 0, 1e-5, &y, &inverseRMS, 1, 17)
      let expected =
        Double(magnitude) * 2 / (Double(magnitude) * Double(magnitude) + 1e-5).squareRoot()
      #expect(y.allSatisfy { abs(Double($0) - expected) <= 1e-6 * expected })
    }
  }

  // MARK: Rotary embedding

  @Test("Rotation turns each head by its row's angle, and back", arguments: [2, 6, 30, 32, 34, 64])
  func rotation(d: Int) {
    var noise = Noise(d)
    let (rows, heads, positionCount) = (4, 3, 5)
    let stride = heads * d + 7
    let positions: [Int32] = [0, 4, 2, 4]
    let angles = (0..<positionCount * d / 2).map { _ in 6 * noise.generator.uniform() }
    let (cosines, sines) = (angles.map { Float(cos($0)) }, angles.map { Float(sin($0)) })
    let before = noise.floats(rows * stride)
    for sign in [1, -1] as [Float] {
      var x = before
      ks_rotate(&x, stride, positions, cosines, sines, sign, rows, heads, d)
      for i in 0..<rows {
        let table = Int(positions[i]) * d / 2..<(Int(positions[i]) + 1) * d / 2
        let (c, s) = (cosines[table].map(Double.init), sines[table].map { Double(sign * $0) })
        for h in 0..<heads {
          let head = i * stride + h * d..<i * stride + (h + 1) * d
          let old = before[head].map(Double.init)
          expect(
            x[head], PlainKernels.rotated(old, cosines: c, sines: s),
            within: old.indices.map { j in
              2 * u * (abs(old[j % (d / 2)]) + abs(old[j % (d / 2) + d / 2]))
            })
        }
        let gap = i * stride + heads * d..<(i + 1) * stride
        #expect(x[gap] == before[gap])
      }
    }
  }

  // MARK: Feed-forward

  @Test("SwiGLU, forward and backward", arguments: sizes)
  func swiglu(width: Int) {
    var noise = Noise(width)
    let rows = 3
    let gateUp = noise.floats(2 * rows * width, deviation: 3)
    let dy = noise.floats(rows * width)
    var y = dy
    ks_swiglu(gateUp, &y, rows, width)
    var gradient = gateUp
    ks_swiglu_backward(&gradient, dy, rows, width)
    for i in 0..<rows {
      for j in 0..<width {
        let (g, up) = (Double(gateUp[2 * i * width + j]), Double(gateUp[(2 * i + 1) * width + j]))
        let d = Double(dy[i * width + j])
        // The exponential, 1 + e, the product and the quotient.
        let expected = PlainKernels.swiglu(gate: g, up: up)
        expect(y[i * width + j...i * width + j], [expected], within: [7 * u * abs(expected)])
        let exact = PlainKernels.swigluBackward(gate: g, up: up, dy: d)
        let s = PlainKernels.sigmoid(g)
        // σ to 6 u, so 1 - σ to 7 u; then products and a sum.
        expect(
          gradient[2 * i * width + j...2 * i * width + j], [exact.gate],
          within: [abs(d * up) * s * (12 + 18 * abs(g)) * u])
        expect(
          gradient[(2 * i + 1) * width + j...(2 * i + 1) * width + j], [exact.up],
          within: [8 * u * abs(exact.up)])
      }
    }
  }

  @Test(
    "SwiGLU of gates whose exponential under- or overflows is the gate itself or zero",
    arguments: [-1e30, -1e4, -100, -88.8, 88.8, 100, 1e4, 1e30] as [Float])
  func swigluExtremes(gate: Float) {
    var y = [Float.nan]
    ks_swiglu([gate, 2], &y, 1, 1)
    #expect(gate > 0 ? y[0] == 2 * gate : abs(y[0]) < 1e-30)
    var gradient = [gate, 2]
    ks_swiglu_backward(&gradient, [3], 1, 1)
    #expect(gate > 0 ? gradient == [6, 3 * gate] : gradient.allSatisfy { abs($0) < 1e-30 })
  }

  @Test("A gate that is not a number makes no number, in a vector and beside one")
  func notANumber() {
    let width = 17
    for place in [0, 16] {
      var gateUp = [Float](repeating: 1, count: 2 * width)
      gateUp[place] = .nan
      for kernel in [ks_swiglu, ks_geglu] {
        var y = [Float](repeating: 0, count: width)
        kernel(gateUp, &y, 1, width)
        #expect(y.indices.filter { y[$0].isNaN } == [place])
      }
    }
  }

  @Test("GEGLU, forward and backward", arguments: sizes)
  func geglu(width: Int) {
    var noise = Noise(width)
    let gateUp = noise.floats(2 * width, deviation: 3)
    let dy = noise.floats(width)
    var y = dy
    ks_geglu(gateUp, &y, 1, width)
    var gradient = gateUp
    ks_geglu_backward(&gradient, dy, 1, width)
    for j in 0..<width {
      let (g, up, d) = (Double(gateUp[j]), Double(gateUp[width + j]), Double(dy[j]))
      let root = (2 / Double.pi).squareRoot()
      // (1 + tanh u) / 2 is σ(2 u), which keeps its digits where tanh is near -1.
      let s = PlainKernels.sigmoid(2 * root * (g + 0.044715 * g * g * g))
      // The exponent 2 u is off by six roundings of its terms, which have one sign.
      let exponent = abs(2 * root * (g + 0.044715 * g * g * g))
      let relative = (8 + 8 * exponent) * u
      expect(y[j...j], [g * s * up], within: [relative * abs(g * s * up)])
      let slope = root * (1 + 3 * 0.044715 * g * g)
      expect(
        gradient[j...j], [d * up * (s + 2 * g * slope * s * (1 - s))],
        within: [(20 + 16 * exponent) * u * abs(d * up) * s * (1 + 2 * abs(g) * slope)])
      expect(gradient[width + j...width + j], [d * g * s], within: [relative * abs(d * g * s)])
    }
  }

  @Test(
    "GEGLU of gates whose exponential under- or overflows is the gate itself or zero",
    arguments: [-1e9, -1e4, -100, 100, 1e4, 1e9] as [Float])
  func gegluExtremes(gate: Float) {
    var y = [Float.nan]
    ks_geglu([gate, 2], &y, 1, 1)
    #expect(gate > 0 ? y[0] == 2 * gate : y[0] == 0)
    var gradient = [gate, 2]
    ks_geglu_backward(&gradient, [3], 1, 1)
    #expect(gate > 0 ? gradient == [6, 3 * gate] : gradient.allSatisfy { $0 == 0 })
  }

  // MARK: Caps

  @Test("A soft cap, forward and backward, in rows with gaps", arguments: sizes)
  func softcap(n: Int) {
    var noise = Noise(n)
    let (rows, stride, scale, cap) = (3, n + 2, Float(0.7), Float(5))
    let x = noise.floats(rows * stride, deviation: 6)
    var y = x
    ks_softcap(x, &y, stride, scale, cap, rows, n)
    let dBefore = noise.floats(rows * stride)
    var dx = dBefore
    ks_softcap_backward(y, &dx, stride, scale, cap, rows, n)
    for i in 0..<rows {
      for j in i * stride..<i * stride + n {
        let t = tanh(Double(scale) * Double(x[j]) / Double(cap))
        // tanh's own 5 ulp, at most 10 u, and its argument's two roundings, whose effect is at most as large.
        expect(y[j...j], [Double(cap) * t], within: [13 * u * Double(cap) * abs(t)])
        let kept = Double(y[j]) / Double(cap)
        let slope = 1 - kept * kept
        expect(
          dx[j...j], [Double(dBefore[j]) * Double(scale) * slope],
          within: [abs(Double(dBefore[j])) * Double(scale) * (3 * slope + 4 * kept * kept) * u])
      }
      let gap = i * stride + n..<(i + 1) * stride
      #expect(y[gap] == x[gap] && dx[gap] == dBefore[gap])
    }
  }

  @Test("The vectorised tanh is within 5 ulp, and one beyond its range")
  func hyperbolicTangent() {
    let x =
      (0...400_000).map { Float(-10 + 20 * Double($0) / 400_000) } + [1e-30, -1e-20, 0.25, -0.25]
    var y = x
    ks_softcap(x, &y, x.count, 1, 1, 1, x.count)
    let worst = zip(x, y).reduce(0.0) { worst, pair in
      let exact = tanh(Double(pair.0))
      return max(worst, abs(Double(pair.1) - exact) / Double(Float(exact).ulp))
    }
    #expect(worst <= 5, "\(worst)")
    var ends: [Float] = [-.infinity, -1e9, 1e9, .infinity, .nan, 0]
    ks_softcap(ends, &ends, 6, 1, 1, 1, 6)
    #expect(Array(ends[..<4]) == [-1, -1, 1, 1] && ends[4].isNaN && ends[5] == 0)
  }

  // MARK: Softmax

  @Test(
    "Softmax, again and backward, over the columns each row sees", arguments: positiveSizes,
    [Int32.max, 1, 9])
  func softmax(n: Int, window: Int32) {
    var noise = Noise(n)
    let (rows, d, scale) = (4, 5, Float(0.37))
    let (stride, statisticStride, outputStride) = (n + 3, 2, d + 2)
    let visible = [1, n, max(1, n - 1), (n + 1) / 2].map(Int32.init)
    let scores = noise.floats(rows * stride, deviation: 5)
    var probabilities = scores
    var logSumExp = [Float](repeating: 7, count: rows * statisticStride)
    ks_softmax(
      &probabilities, stride, scale, visible, window, &logSumExp, statisticStride, rows, n)
    var again = scores
    ks_softmax_recompute(
      &again, stride, scale, visible, window, logSumExp, statisticStride, rows, n)
    let dBefore = noise.floats(rows * stride)
    var dScores = dBefore
    let (y, dy) = (noise.floats(rows * outputStride), noise.floats(rows * outputStride))
    ks_softmax_backward(
      probabilities, &dScores, stride, scale, y, dy, outputStride, d, rows, n)

    for i in 0..<rows {
      let end = i * stride + Int(visible[i])
      let seen = max(i * stride, end - Int(window))..<end
      let hidden = Array(i * stride..<seen.lowerBound) + Array(end..<i * stride + n)
      let gap = i * stride + n..<(i + 1) * stride
      let row = scores[seen].map(Double.init)
      let exact = PlainKernels.softmax(row, scale: Double(scale))
      let bounds = SoftmaxBounds(row, scale: Double(scale))
      expect(
        probabilities[seen], exact.probabilities,
        within: exact.probabilities.indices.map { bounds.relative($0) * exact.probabilities[$0] })
      let statistic = i * statisticStride
      expect(logSumExp[statistic...statistic], [exact.logSumExp], within: [bounds.logSumExp])
      #expect(logSumExp[statistic + 1] == 7)

      let kept = Double(logSumExp[statistic])
      let same = row.map { Foundation.exp(Double(scale) * $0 - kept) }
      expect(
        again[seen], same,
        within: row.indices.map {
          let (product, argument) = (Double(scale) * row[$0], Double(scale) * row[$0] - kept)
          return (abs(product) + abs(argument) + 4) * u * same[$0]
        })
      for result in [probabilities, again] {
        #expect(hidden.allSatisfy { result[$0] == 0 })
        #expect(result[gap] == scores[gap])
      }

      let all = i * stride..<i * stride + n
      let (p, dp) = (probabilities[all].map(Double.init), dBefore[all].map(Double.init))
      let output = i * outputStride..<i * outputStride + d
      let (yi, dyi) = (y[output].map(Double.init), dy[output].map(Double.init))
      let mean = zip(yi, dyi).reduce(0) { $0 + abs($1.0 * $1.1) }
      expect(
        dScores[all],
        PlainKernels.softmaxBackward(p, dp, scale: Double(scale), y: yi, dy: dyi),
        within: p.indices.map {
          Double(scale) * p[$0] * (Double(d + 3) * mean + 3 * abs(dp[$0])) * u
        })
      #expect(dScores[gap] == dBefore[gap])
    }
  }

  @Test("The softmax of equal scores is even", arguments: positiveSizes)
  func evenSoftmax(n: Int) {
    for score in [-1e4, 0, 1e4] as [Float] {
      var (row, logSumExp) = ([Float](repeating: score, count: n), [Float(0)])
      ks_softmax(&row, n, 1, [Int32(n)], .max, &logSumExp, 1, 1, n)
      #expect(row.allSatisfy { $0 == 1 / Float(n) })
      #expect(abs(logSumExp[0] - (score + Float(log(Double(n))))) <= max(abs(score), 8) * 0x1p-22)
    }
  }

  @Test("Scores far apart give ones and zeros, and a NaN is not hidden", arguments: positiveSizes)
  func extremeSoftmax(n: Int) {
    var row = (0..<n).map { $0 == n / 2 ? Float(1e4) : -1e4 }
    var logSumExp: [Float] = [0]
    ks_softmax(&row, n, 1, [Int32(n)], .max, &logSumExp, 1, 1, n)
    #expect(row == (0..<n).map { $0 == n / 2 ? 1 : 0 })
    #expect(logSumExp == [1e4])
    for place in [0, n / 2, n - 1] {
      var row = (0..<n).map { $0 == place ? Float.nan : Float($0) }
      ks_softmax(&row, n, 1, [Int32(n)], .max, &logSumExp, 1, 1, n)
      #expect(row.allSatisfy(\.isNaN) && logSumExp[0].isNaN)
    }
  }

  // MARK: The exponential

  @Test("The vectorised exponential is within 2 ulp, and 0 and infinity beyond its range")
  func exponential() {
    // A softmax whose log-sum-exp is zero is the exponential itself.
    func exponentials(_ x: [Float]) -> [Float] {
      var y = x
      ks_softmax_recompute(&y, x.count, 1, [Int32(x.count)], .max, [0], 1, 1, x.count)
      return y
    }
    let x = (0...2_000_000).map { Float(-87.3 + 176.0 * Double($0) / 2_000_000) }
    var worst = 0.0
    for (x, y) in zip(x, exponentials(x)) {
      let exact = exp(Double(x))
      worst = max(worst, abs(Double(y) - exact) / Double(Float(exact).ulp))
    }
    #expect(worst <= 2)
    #expect(exponentials([0, -0.0, 1e-30]) == [1, 1, 1])
    #expect(exponentials([-88, -104, -1e4, -.infinity]) == [0, 0, 0, 0])
    #expect(exponentials([88.73, 1e4, .infinity]).allSatisfy { $0 == .infinity })
    #expect(exponentials([.nan])[0].isNaN)
  }

  // MARK: Cross-entropy

  @Test("Cross-entropy, its entropy and its gradient", arguments: positiveSizes)
  func crossEntropy(n: Int) {
    var noise = Noise(n)
    let rows = 4
    let logits = noise.floats(rows * n, deviation: 4)
    let targets = [0, n - 1, n / 2, n / 3].map(Int32.init)
    let weights: [Float] = [1, -0.025, 0, 2.5]
    var losses = [ks_token_loss](repeating: ks_token_loss(), count: rows)
    ks_cross_entropy(logits, targets, &losses, Int32(KS_ENTROPY | KS_SUPPORT), rows, n)
    var gradient = logits
    ks_cross_entropy_backward(&gradient, targets, losses, weights, 0, rows, n)
    var quick = losses
    ks_cross_entropy(logits, targets, &quick, 0, rows, n)
    for i in 0..<rows {
      let row = logits[i * n..<(i + 1) * n].map(Double.init)
      let target = Int(targets[i])
      let exact = PlainKernels.softmax(row)
      let bounds = SoftmaxBounds(row, scale: 1)
      expect([losses[i].log_sum_exp], [exact.logSumExp], within: [bounds.logSumExp])
      let nll = exact.logSumExp - row[target]
      expect(
        [losses[i].negative_log_likelihood], [nll],
        within: [bounds.logSum + (abs(row[target] - bounds.largest) + abs(nll)) * u])
      // The sum of e a, by its terms' errors and its own, over Σ e; then the difference.
      let entropy = PlainKernels.entropy(exact.probabilities)
      expect([losses[i].entropy], [entropy], within: [bounds.entropy + u * entropy])
      #expect(Int(losses[i].top) == row.firstIndex(of: bounds.largest))
      // Terms that have one sign, over the sum that the entropy is taken with.
      let support = row.indices.reduce(0) {
        $0 + (row[$1] <= row[target] ? exact.probabilities[$1] : 0)
      }
      expect(
        [losses[i].support], [support],
        within: [
          (bounds.logSum + (abs(row[target] - bounds.largest) + Double(n) + 8) * u) * support
        ])
      #expect(quick[i].entropy == 0 && quick[i].support == 0)
      #expect(quick[i].negative_log_likelihood == losses[i].negative_log_likelihood)

      let (kept, weight) = (Double(losses[i].log_sum_exp), Double(weights[i]))
      let p = row.map { Foundation.exp($0 - kept) }
      expect(
        gradient[i * n..<(i + 1) * n],
        row.indices.map { weight * (p[$0] - ($0 == target ? 1 : 0)) },
        within: row.indices.map {
          (abs(row[$0] - kept) + 6) * u * abs(weight) * p[$0]
            + ($0 == target ? u * abs(weight * (p[$0] - 1)) : 0)
        })
    }
  }

  @Test(
    "The gradient of capped logits is that of the logits before the cap", arguments: positiveSizes)
  func cappedCrossEntropy(n: Int) {
    var noise = Noise(n)
    let cap: Float = 4
    let before = noise.floats(n, deviation: 4)
    var logits = before
    ks_softcap(before, &logits, n, 1, cap, 1, n)
    let target = n / 2
    var losses = [ks_token_loss()]
    ks_cross_entropy(logits, [Int32(target)], &losses, 0, 1, n)
    var (uncapped, gradient) = (logits, logits)
    ks_cross_entropy_backward(&uncapped, [Int32(target)], losses, [2.5], 0, 1, n)
    ks_cross_entropy_backward(&gradient, [Int32(target)], losses, [2.5], 1 / cap, 1, n)
    ks_softcap_backward(logits, &uncapped, n, 1, cap, 1, n)
    for j in 0..<n {
      // Two ways to the same product of a difference and 1 - tanh²; where the target's difference is
      // taken before or after that product, its terms of 2.5 round differently.
      #expect(
        abs(gradient[j] - uncapped[j]) <= Float(8 * u)
          * (abs(uncapped[j]) + (j == target ? 2.5 : 0)))
    }
  }

  @Test("Entropy is log N of equal logits and zero of one that towers", arguments: positiveSizes)
  func entropyExtremes(n: Int) {
    let even = [Float](repeating: 3, count: n)
    let oneHot = (0..<n).map { $0 == n - 1 ? Float(1e4) : -1e4 }
    var losses = [ks_token_loss](repeating: ks_token_loss(), count: 2)
    ks_cross_entropy(even + oneHot, [0, 0], &losses, Int32(KS_ENTROPY | KS_SUPPORT), 2, n)
    #expect(abs(Double(losses[0].entropy) - log(Double(n))) <= 4 * u * log(Double(n)))
    #expect(losses[0].top == 0 && losses[0].support == 1)
    #expect(losses[1].entropy == 0 && losses[1].support == (n == 1 ? 1 : 0))
    #expect(losses[1].negative_log_likelihood == (n == 1 ? 0 : 2e4))
    #expect(Int(losses[1].top) == n - 1)
    var gradient = oneHot
    ks_cross_entropy_backward(&gradient, [0], [losses[1]], [1], 0, 1, n)
    #expect(n == 1 || (gradient[0] == -1 && gradient[n - 1] == 1))
  }

  @Test("A NaN or an infinity among the logits gives a loss of NaN", arguments: positiveSizes)
  func brokenLogits(n: Int) {
    for broken in [Float.nan, .infinity] {
      for place in Set([0, n / 2, n - 1]) {
        let logits = (0..<n).map { $0 == place ? broken : Float($0 % 5) }
        var losses = [ks_token_loss()]
        ks_cross_entropy(logits, [0], &losses, Int32(KS_ENTROPY), 1, n)
        #expect(losses[0].negative_log_likelihood.isNaN && losses[0].entropy.isNaN)
        #expect((0..<n).contains(Int(losses[0].top)))
        var gradient = logits
        ks_cross_entropy_backward(&gradient, [0], losses, [1], 0, 1, n)
        #expect(gradient.contains { $0.isNaN })
      }
    }
  }

  // MARK: Dropout

  @Test("Dropout keeps what the twin keeps and scales it, in place too", arguments: sizes)
  func dropout(n: Int) {
    var noise = Noise(n)
    let keys: [UInt32] = [1, 2, 0xffff_ffff]
    let x = noise.floats(keys.count * n)
    for (probability, salt) in [(0, 9), (0.05, 9), (0.5, 10), (0.99, 11)] as [(Float, UInt32)] {
      var y = x
      ks_dropout(x, &y, keys, salt, probability, keys.count, n)
      let expected = keys.enumerated().flatMap { i, key in
        (0..<n).map { j in
          PlainKernels.keeps(column: j, key: key, salt: salt, probability: probability)
            ? Double(x[i * n + j]) / (1 - Double(probability)) : 0
        }
      }
      expect(y, expected, within: expected.map { 3 * u * abs($0) })
      var inPlace = x
      inPlace.withUnsafeMutableBufferPointer {
        guard let base = $0.baseAddress else { return }
        ks_dropout(base, base, keys, salt, probability, keys.count, n)
      }
      #expect(inPlace == y)
    }
  }

  @Test(
    "The expected share is dropped, in every row, column and pair of neighbours",
    arguments: [0.05, 0.3, 0.5] as [Float])
  func dropoutShare(probability: Float) {
    let (rows, n) = (512, 512)
    let x = [Float](repeating: 1, count: rows * n)
    var generator = SeededGenerator(seed: 11, stream: "dropout")
    let keys = (0..<rows).map { _ in UInt32(truncatingIfNeeded: generator.next()) }
    var masks: [[Bool]] = []
    for salt in [3, 4] as [UInt32] {
      var y = x
      ks_dropout(x, &y, keys, salt, probability, rows, n)
      masks.append(y.map { $0 == 0 })
    }
    let p = Double(probability)
    // Five standard deviations of a share of `count` independent draws.
    func isExpected(_ share: Double, _ p: Double, count: Int) -> Bool {
      abs(share - p) < 5 * (p * (1 - p) / Double(count)).squareRoot()
    }
    func share(_ dropped: [Bool]) -> Double {
      Double(dropped.count { $0 }) / Double(dropped.count)
    }
    let mask = masks[0]
    #expect(isExpected(share(mask), p, count: mask.count))
    for i in 0..<rows { #expect(isExpected(share(Array(mask[i * n..<(i + 1) * n])), p, count: n)) }
    for j in 0..<n {
      #expect(isExpected(share((0..<rows).map { mask[$0 * n + j] }), p, count: rows))
    }
    // Neighbours in a row and in a column, and two projections, are dropped together p² of the time.
    let together = [
      (0..<rows * n - 1).map { mask[$0] && mask[$0 + 1] },
      (0..<(rows - 1) * n).map { mask[$0] && mask[$0 + n] },
      mask.indices.map { mask[$0] && masks[1][$0] },
    ]
    for pairs in together { #expect(isExpected(share(pairs), p * p, count: pairs.count)) }
  }

  // MARK: AdamW

  @Test("AdamW is its formula, three steps from zero moments", arguments: sizes)
  func adamW(n: Int) {
    var noise = Noise(n)
    let (learningRate, beta1, beta2, epsilon, decay) =
      (Float(2e-3), Float(0.9), Float(0.98), Float(1e-8), Float(0.05))
    let gradientScale: Float = 0.4
    var parameters = noise.floats(n)
    var (first, second) = ([Float](repeating: 0, count: n), [Float](repeating: 0, count: n))
    for step in 1...3 {
      let gradients = noise.floats(n, deviation: step == 2 ? 1e-6 : 1)
      let corrections = [beta1, beta2].map { Float(1 - pow(Double($0), Double(step))) }
      var expected = (0..<n).map {
        PlainKernels.AdamW(Double(parameters[$0]), Double(first[$0]), Double(second[$0]))
      }
      let before = (parameters, first)
      ks_adamw(
        &parameters, gradients, &first, &second, n, gradientScale, learningRate, beta1, beta2,
        epsilon, decay, corrections[0], corrections[1])
      for i in 0..<n {
        let g = Double(gradientScale) * Double(gradients[i])
        expected[i].step(
          gradient: g, learningRate: Double(learningRate), beta1: Double(beta1),
          beta2: Double(beta2), epsilon: Double(epsilon), weightDecay: Double(decay),
          correction1: Double(corrections[0]), correction2: Double(corrections[1]))
        let e = expected[i]
        // m by the roundings of g, g - m, the product and the sum; v by those of positive terms.
        let mError = 4 * u * (abs(Double(before.1[i])) + abs(g))
        expect([first[i]], [e.firstMoment], within: [mError])
        expect([second[i]], [e.secondMoment], within: [6 * u * e.secondMoment])
        // Decay takes three roundings of p; the step eight of itself and m's error.
        let v = (e.secondMoment / Double(corrections[1])).squareRoot() + Double(epsilon)
        let scale = Double(learningRate) / Double(corrections[0]) / v
        expect(
          [parameters[i]], [e.parameter],
          within: [
            4 * u * abs(Double(before.0[i])) + scale * (mError + 12 * u * abs(e.firstMoment))
          ])
      }
    }
  }

  @Test("AdamW of a gradient of zero only decays, and the first step is the learning rate long")
  func adamWFirstStep() {
    var (parameters, first, second) = (
      [Float(1), 1, 1], [Float](repeating: 0, count: 3), [Float](repeating: 0, count: 3)
    )
    ks_adamw(
      &parameters, [0, 1e-3, -1e3], &first, &second, 3, 1, 0.5, 0.9, 0.999, 1e-8, 0.1,
      Float(1 - 0.9), Float(1 - 0.999))
    for (found, expected) in zip(parameters, [0.95, 0.45, 1.45]) {
      #expect(abs(Double(found) - expected) < 1e-4)
    }
  }

  // MARK: Sums

  @Test("Sums, biases and squares", arguments: sizes)
  func sums(n: Int) {
    var noise = Noise(n)
    let (rows, stride) = (5, n + 2)
    let (x, before) = (noise.floats(n), noise.floats(n))
    var y = before
    ks_add(x, &y, n)
    #expect(y == zip(before, x).map { $0 + $1 })

    let matrix = noise.floats(rows * stride)
    var biased = matrix
    ks_add_bias(&biased, stride, x, rows, n)
    var dBias = before
    ks_bias_backward(matrix, stride, &dBias, rows, n)
    for i in 0..<rows {
      for j in 0..<stride {
        let k = i * stride + j
        #expect(biased[k] == (j < n ? matrix[k] + x[j] : matrix[k]))
      }
    }
    for j in 0..<n {
      let terms = [Double(before[j])] + (0..<rows).map { Double(matrix[$0 * stride + j]) }
      expect(
        [dBias[j]], [terms.reduce(0, +)],
        within: [Double(rows) * u * terms.reduce(0) { $0 + abs($1) }])
    }

    let squares = x.reduce(0.0) { $0 + Double($1) * Double($1) }
    #expect(abs(ks_sum_of_squares(x, n) - squares) <= Double(n) * 0x1p-52 * squares)
  }

  @Test("Squares that overflow a float are summed in double")
  func largeSquares() {
    #expect(ks_sum_of_squares([Float](repeating: 1e30, count: 33), 33) > 3.2e61)
  }

  // MARK: Decoding

  @Test("One query against a cache with capped scores", arguments: positiveSizes)
  func attendOneCapped(length: Int) {
    var noise = Noise(length)
    let (d, scale, cap) = (6, Float(0.9), Float(2))
    let q = noise.floats(d, deviation: 2)
    let (keys, values) = (noise.floats(length * d), noise.floats(length * d))
    var (scores, y) = ([Float](repeating: 0, count: length), [Float](repeating: .nan, count: d))
    ks_attend_one(q, keys, values, d, scale, cap, &scores, &y, 1, 1, d, length)
    let capped = (0..<length).map { t in
      let dot = (0..<d).reduce(0.0) { $0 + Double(q[$1]) * Double(keys[t * d + $1]) }
      return Double(cap) * tanh(Double(scale) * dot / Double(cap))
    }
    let p = PlainKernels.softmax(capped).probabilities
    for j in 0..<d {
      let exact = (0..<length).reduce(0.0) { $0 + p[$1] * Double(values[$1 * d + j]) }
      let magnitude = (0..<length).reduce(0.0) { $0 + p[$1] * abs(Double(values[$1 * d + j])) }
      // Dots of six products about ten in size, then as without a cap.
      #expect(abs(Double(y[j]) - exact) <= Double(length + 300) * u * magnitude)
    }
  }

  @Test(
    "A cache in bfloat16 gives what its numbers in single precision give", arguments: positiveSizes)
  func attendOneBFloat16(length: Int) {
    var noise = Noise(length)
    let (heads, keyValueHeads, d, stride, scale) = (6, 2, 88, 181, Float(0.125))
    let q = noise.floats(heads * d, deviation: 2)
    let (keys, values) = (noise.floats(length * stride), noise.floats(length * stride))
    func rounded(_ x: [Float]) -> [UInt16] {
      var y = [UInt16](repeating: 0, count: x.count)
      ks_round_to_bfloat16(x, x.count, &y, 1, 1, x.count)
      return y
    }
    func widened(_ x: [UInt16]) -> [Float] {
      var y = [Float](repeating: 0, count: x.count)
      ks_widen_bfloat16(x, x.count, &y, 1, x.count)
      return y
    }
    let (shortKeys, shortValues) = (rounded(keys), rounded(values))
    var scores = [Float](repeating: 0, count: heads * length)
    var (found, expected) = (
      [Float](repeating: .nan, count: heads * d), [Float](repeating: .nan, count: heads * d)
    )
    ks_attend_one_bfloat16(
      q, shortKeys, shortValues, stride, scale, 0, &scores, &found, heads, keyValueHeads, d,
      length)
    ks_attend_one(
      q, widened(shortKeys), widened(shortValues), stride, scale, 0, &scores, &expected, heads,
      keyValueHeads, d, length)
    // The same sums in another order.
    #expect(relativeError(found, expected) < 1e-6)
    var exact = expected
    ks_attend_one(
      q, keys, values, stride, scale, 0, &scores, &exact, heads, keyValueHeads, d, length)
    #expect((1e-4..<1e-2).contains(relativeError(found, exact)))
  }

  @Test("One query against a cache", arguments: positiveSizes)
  func attendOne(length: Int) {
    for (d, heads, keyValueHeads) in [
      (1, 6, 2), (15, 6, 2), (16, 4, 4), (64, 6, 2), (24, 5, 1), (80, 8, 2), (144, 7, 1),
    ] {
      var noise = Noise(length + d)
      let stride = keyValueHeads * d + 5
      let scale = Float(1 / Double(d).squareRoot())
      let q = noise.floats(heads * d, deviation: 2)
      let (keys, values) = (noise.floats(length * stride), noise.floats(length * stride))
      var scores = [Float](repeating: 0, count: heads * length)
      var y = [Float](repeating: .nan, count: heads * d)
      ks_attend_one(
        q, keys, values, stride, scale, 0, &scores, &y, heads, keyValueHeads, d, length)
      for h in 0..<heads {
        let start = h / (heads / keyValueHeads) * d
        let rows = { (x: [Float]) in
          (0..<length).map { x[$0 * stride + start..<$0 * stride + start + d].map(Double.init) }
        }
        let (k, v) = (rows(keys), rows(values))
        let query = q[h * d..<(h + 1) * d].map(Double.init)
        let expected = PlainKernels.attend(query, keys: k, values: v, scale: Double(scale))
        // A score is a sum of d products, times scale; its error moves a probability twice,
        // through itself and through the sum.
        let dots = k.map { zip(query, $0).reduce(0) { $0 + $1.0 * $1.1 } }
        let score = k.map { zip(query, $0).reduce(0) { $0 + abs($1.0 * $1.1) } }.max() ?? 0
        let scoreError = Double(d + 2) * u * Double(scale) * score
        let bounds = SoftmaxBounds(dots, scale: Double(scale))
        let p = PlainKernels.softmax(dots, scale: Double(scale)).probabilities
        expect(
          y[h * d..<(h + 1) * d], expected,
          within: (0..<d).map { j in
            (0..<length).reduce(0) {
              $0 + p[$1] * abs(v[$1][j])
                * (2 * scoreError + bounds.relative($1) + Double(length + 1) * u)
            }
          })
      }
    }
  }
}

/// The relative error of one rounding to the nearest float.
private let u = 0x1p-24

/// How far a row's softmax in floats may be from the exact one.
private struct SoftmaxBounds {
  let largest: Double
  /// log Σ exp(a), and the scaled scores less the largest, a.
  let logSum: Double
  let logSumExp: Double
  let entropy: Double
  private let arguments: [Double]
  private let sumRelative: Double

  init(_ scores: [Double], scale: Double) {
    let largest = scores.max() ?? 0
    let arguments = scores.map { scale * ($0 - largest) }
    let sum = arguments.reduce(0) { $0 + exp($1) }
    // An argument takes two roundings. The exponentials' errors, weighted, and the sum's own.
    let n = Double(scores.count)
    let weighted = arguments.reduce(0) { $0 + exp($1) * (2 * abs($1) + 4) } / sum
    sumRelative = (weighted + n) * u
    // The logarithm is off by its argument's relative error and by its own ulp.
    logSum = sumRelative + 2 * u * log(sum)
    logSumExp = logSum + (abs(scale * largest) + abs(scale * largest + log(sum))) * u
    let products = arguments.reduce(0) { $0 + exp($1) * abs($1) * (2 * abs($1) + 6 + n) } / sum
    let mean = arguments.reduce(0) { $0 + exp($1) * abs($1) } / sum
    entropy = logSum + products * u + (sumRelative + u) * mean
    self.largest = largest
    self.arguments = arguments
  }

  /// Of the probability of column `j`: the exponential, the sum, the quotient and the product.
  func relative(_ j: Int) -> Double { (2 * abs(arguments[j]) + 4 + 2) * u + sumRelative }
}

/// Seeded normal numbers.
private struct Noise {
  var generator: SeededGenerator

  init(_ seed: Int) { generator = SeededGenerator(seed: UInt64(seed), stream: "kernels") }

  mutating func floats(_ count: Int, deviation: Double = 1) -> [Float] {
    (0..<count).map { _ in Float(deviation * generator.normal()) }
  }
}

private func expect<Found: Collection<Float>>(
  _ found: Found, _ expected: [Double], within tolerances: [Double],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(found.count == expected.count, sourceLocation: sourceLocation)
  for (i, (x, (y, tolerance))) in zip(found, zip(expected, tolerances)).enumerated() {
    // One ulp of the smallest normal number for what underflows.
    if !(abs(Double(x) - y) <= tolerance + 0x1p-126) {
      Issue.record("[\(i)]: \(x) for \(y), within \(tolerance)", sourceLocation: sourceLocation)
    }
  }
}
