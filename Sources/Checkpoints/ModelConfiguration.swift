import Files

/// How the rotary embedding's frequencies are stretched beyond the positions of pretraining.
public enum RopeScaling: Codable, Hashable, Sendable {
  /// Every frequency divided by `factor`.
  case linear(factor: Double)
  /// Low frequencies divided by `factor`, high ones kept, those between blended.
  ///
  /// With a frequency's wavelength λ = 2π / f and L = `originalMaximumPositions`: kept where λ < L
  /// / `highFrequencyFactor`, divided where λ > L / `lowFrequencyFactor`.
  ///
  /// Source: `_compute_llama3_parameters` in transformers' `modeling_rope_utils.py`.
  case llama3(
    factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
    originalMaximumPositions: Int)
  /// YaRN (Peng et al., 2309.00071): frequencies that turn less than `slowTurns` times in L =
  /// `originalMaximumPositions` positions divided by `factor`, those that turn more than `fastTurns`
  /// times kept, those between blended; cosines and sines times `attentionFactor`.
  ///
  /// Source: `_compute_yarn_parameters` in transformers' `modeling_rope_utils.py`.
  case yarn(
    factor: Double, attentionFactor: Double, fastTurns: Double, slowTurns: Double,
    originalMaximumPositions: Int, truncates: Bool)
  /// NTK scaling that begins beyond `maximumPositions`. Up to there, which is as far as a sequence
  /// may go here, the frequencies are used as they are.
  ///
  /// Source: `_compute_dynamic_ntk_parameters` in transformers' `modeling_rope_utils.py`.
  case dynamic(factor: Double)
}

/// The nonlinearity of a feed-forward layer's gate, by its name in Transformers.
public enum Activation: String, Codable, Hashable, Sendable {
  case silu
  /// GELU in its approximation by tanh.
  case geluTanh = "gelu_pytorch_tanh"
}

/// The shape of a decoder, as its checkpoint declares it.
public struct ModelConfiguration: Codable, Hashable, Sendable {
  public var architecture: Architecture
  public var vocabularySize: Int
  public var hiddenSize: Int
  /// The width of the feed-forward layer.
  public var intermediateSize: Int
  public var layerCount: Int
  /// Query heads of a layer.
  public var headCount: Int
  /// Key and value heads of a layer, each shared by `headCount / keyValueHeadCount` query heads.
  public var keyValueHeadCount: Int
  public var headDimension: Int
  public var rmsNormEpsilon: Float
  public var ropeTheta: Double
  /// Nil: the frequencies are used as they are.
  public var ropeScaling: RopeScaling?
  /// The most tokens of a sequence.
  public var maximumPositions: Int
  /// The tokens that one sees in a layer with sliding-window attention, itself included. Nil: none.
  public var slidingWindow: Int?
  /// The layers with sliding-window attention; the others have full attention.
  public var slidingLayers: [Int]
  /// The rotary base of layers with sliding-window attention, unscaled. Nil: as in the others.
  public var localRopeTheta: Double?
  /// The layers whose queries and keys are not rotated.
  public var layersWithoutRope: [Int]
  public var activation: Activation
  /// Multiplies the embeddings.
  public var embeddingMultiplier: Float
  /// Multiplies the products of queries and keys. Nil: 1 / √(head dimension).
  public var attentionMultiplier: Float?
  /// Multiplies what attention and the feed-forward layer add to the residual stream.
  public var residualMultiplier: Float
  /// Divides the logits.
  public var logitsScaling: Float
  /// s becomes cap · tanh(s / cap) for each attention score s. Nil: no cap.
  public var attentionSoftcap: Float?
  /// The same for the logits.
  public var logitSoftcap: Float?
  /// Whether the vocabulary projection is the embedding itself.
  public var tiesEmbeddings: Bool
  /// The projections that have a bias, in the order of `ProjectionName.allCases`.
  public var biasedProjections: [ProjectionName]
  public var beginningOfSequence: Int?
  /// Every token id that ends a sequence; the first is the one that training appends.
  public var endsOfSequence: [Int]

  /// The token id that training appends to a response.
  public var endOfSequence: Int? { endsOfSequence.first }

  /// A configuration with the family's usual choices where none is given.
  ///
  /// - Parameters:
  ///   - keyValueHeadCount: as many as query heads when left out.
  ///   - headDimension: `hiddenSize / headCount` when left out.
  ///   - biasedProjections: as in every model of the family when left out.
  public init(
    architecture: Architecture = .llama, vocabularySize: Int, hiddenSize: Int,
    intermediateSize: Int, layerCount: Int,
    headCount: Int, keyValueHeadCount: Int? = nil, headDimension: Int? = nil,
    rmsNormEpsilon: Float = 1e-5,
    ropeTheta: Double = 10000, ropeScaling: RopeScaling? = nil, maximumPositions: Int = 2048,
    slidingWindow: Int? = nil, tiesEmbeddings: Bool = true,
    biasedProjections: [ProjectionName]? = nil,
    beginningOfSequence: Int? = nil, endsOfSequence: [Int] = []
  ) {
    precondition(headCount > 0, "\(headCount) heads")
    self.architecture = architecture
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headDimension = headDimension ?? hiddenSize / headCount
    self.rmsNormEpsilon = rmsNormEpsilon
    self.ropeTheta = ropeTheta
    self.ropeScaling = ropeScaling
    self.maximumPositions = maximumPositions
    self.slidingWindow = slidingWindow
    self.tiesEmbeddings = tiesEmbeddings
    self.biasedProjections = biasedProjections ?? architecture.family.layer.biased
    self.beginningOfSequence = beginningOfSequence
    self.endsOfSequence = endsOfSequence
    activation = architecture.family.activation.function
    slidingLayers = []
    layersWithoutRope = []
    embeddingMultiplier = 1
    residualMultiplier = 1
    logitsScaling = 1
    slidingLayers = familySlidingLayers
  }

  /// Far more than any model has, so that a damaged count asks for no memory.
  private static let layerCounts = 1...10_000

  /// The layers with sliding-window attention where the checkpoint does not name them.
  var familySlidingLayers: [Int] {
    guard Self.layerCounts.contains(layerCount) else { return [] }
    return (0..<layerCount).filter { architecture.family.slides($0, self) }
  }

  /// The projections of a layer.
  public var projections: [ProjectionName] { architecture.family.projections }

  /// The tensors of the decoder, by their Hugging Face names, with their row-major shapes: a
  /// projection is `[out, in]`.
  public var tensorShapes: [(name: String, shape: [Int])] {
    architecture.family.tensorShapes(self)
  }

  /// Throws, naming `file`, when a size makes no sense, so that later products of two sizes cannot
  /// overflow.
  func check(file: String) throws {
    func require(_ holds: Bool, _ place: String, _ expected: String, _ found: Any) throws {
      guard holds else {
        throw FileError(file: file, location: place, expected: expected, found: "\(found)")
      }
    }
    let sizes = [
      ("vocabulary size", vocabularySize), ("hidden size", hiddenSize),
      ("intermediate size", intermediateSize), ("head count", headCount),
      ("key and value head count", keyValueHeadCount),
      ("head dimension", headDimension), ("maximum positions", maximumPositions),
      ("sliding window", slidingWindow ?? 1),
    ]
    for (place, size) in sizes {
      try require(
        (1...Int(Int32.max)).contains(size), place, "a number from 1 to \(Int32.max)", size)
    }
    try require(
      Self.layerCounts.contains(layerCount), "layer count",
      "a number from \(Self.layerCounts.lowerBound) to \(Self.layerCounts.upperBound)", layerCount)
    // One product computes both.
    for pair in [[ProjectionName.key, .value], [.gate, .up]] {
      let biased = pair.filter(biasedProjections.contains)
      try require(
        biased.isEmpty || biased == pair, "biases",
        "both or none of \(pair[0].rawValue) and \(pair[1].rawValue)",
        biased.map(\.rawValue).joined(separator: ", "))
    }
    try require(
      headCount.isMultiple(of: keyValueHeadCount), "head count",
      "a multiple of the \(keyValueHeadCount) key heads",
      headCount)
    try require(headDimension.isMultiple(of: 2), "head dimension", "an even number", headDimension)
    try require(
      rmsNormEpsilon.isFinite && rmsNormEpsilon >= 0, "epsilon of the RMS norm",
      "a finite number from 0 up",
      rmsNormEpsilon)
    try require(
      ropeTheta.isFinite && ropeTheta > 0, "rotary base", "a finite positive number", ropeTheta)
    for (place, number) in [
      ("local rotary base", localRopeTheta ?? 1),
      ("embedding multiplier", Double(embeddingMultiplier)),
      ("attention multiplier", Double(attentionMultiplier ?? 1)),
      ("residual multiplier", Double(residualMultiplier)),
      ("logits scaling", Double(logitsScaling)),
      ("cap of attention scores", Double(attentionSoftcap ?? 1)),
      ("cap of logits", Double(logitSoftcap ?? 1)),
    ] {
      try require(number.isFinite && number > 0, place, "a finite positive number", number)
    }
    try require(
      slidingWindow != nil || slidingLayers.isEmpty, "sliding window",
      "a size: some layers have one",
      "none")
    switch ropeScaling {
    case nil: break
    case .linear(let factor), .dynamic(let factor):
      try require(
        factor.isFinite && factor > 0, "rotary scaling factor", "a finite positive number", factor)
    case .yarn(let factor, let attentionFactor, let fast, let slow, let positions, _):
      for (place, number) in [
        ("factor", factor), ("attention factor", attentionFactor), ("beta_fast", fast),
        ("beta_slow", slow),
      ] {
        try require(
          number.isFinite && number > 0, "rotary scaling's \(place)", "a finite positive number",
          number)
      }
      try require(
        positions > 0, "rotary scaling's original positions", "a positive number", positions)
    case .llama3(let factor, let low, let high, let positions):
      try require(
        factor.isFinite && factor > 0, "rotary scaling factor", "a finite positive number", factor)
      try require(
        low > 0 && high > low && high.isFinite, "rotary scaling's frequency factors",
        "0 < low < high", (low, high))
      try require(
        positions > 0, "rotary scaling's original positions", "a positive number", positions)
    }
    for id in [beginningOfSequence].compactMap({ $0 }) + endsOfSequence {
      try require(
        (0..<vocabularySize).contains(id), "special token id", "an id below \(vocabularySize)", id)
    }
  }
}
