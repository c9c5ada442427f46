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
}

/// The shape of a decoder of the LLaMA family, as its checkpoint declares it.
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
  /// The positions that the rotary embedding has, in tokens.
  public var maximumPositions: Int
  /// A longer sequence would need sliding-window attention, which is not the full attention
  /// computed here. Nil: none.
  public var slidingWindow: Int?
  /// Whether the vocabulary projection is the embedding itself.
  public var tiesEmbeddings: Bool
  /// The projections that have a bias, in the order of `ProjectionName.allCases`.
  public var biasedProjections: [ProjectionName]
  public var beginningOfSequence: Int?
  /// Every token id that ends a sequence; the first is the one that training appends.
  public var endsOfSequence: [Int]

  /// The most tokens of a sequence: the positions, or the sliding window where that is shorter.
  public var contextLength: Int { min(maximumPositions, slidingWindow ?? .max) }

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
  }

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
      ("intermediate size", intermediateSize),
      ("layer count", layerCount), ("head count", headCount),
      ("key and value head count", keyValueHeadCount),
      ("head dimension", headDimension), ("maximum positions", maximumPositions),
      ("sliding window", slidingWindow ?? 1),
    ]
    for (place, size) in sizes {
      try require(
        (1...Int(Int32.max)).contains(size), place, "a number from 1 to \(Int32.max)", size)
    }
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
    switch ropeScaling {
    case nil: break
    case .linear(let factor):
      try require(
        factor.isFinite && factor > 0, "rotary scaling factor", "a finite positive number", factor)
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
