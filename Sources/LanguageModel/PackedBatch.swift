import Checkpoints

/// Prefix trees laid one after the other as the rows of one matrix, with what each pass needs to
/// know of them.
///
/// Letters: T rows (tokens), W output rows (those from which something is predicted).
struct PackedBatch {
  /// Rows of one segment, and the rows that they attend to.
  struct Segment {
    /// Its rows among T.
    var rows: Range<Int>
    /// Its output rows among W.
    var outputs: Range<Int>
    /// The rows of its ancestors in order, neighbours joined.
    var ancestors: [Range<Int>]
  }

  private(set) var tokens: [Int32] = []
  private(set) var positions: [Int32] = []
  private(set) var dropoutKeys: [UInt32] = []
  private(set) var segments: [Segment] = []
  /// How many rows of its own segment a row sees, itself included [T].
  private(set) var visible: [Int32] = []
  /// The rows whose final hidden state is needed, rising [W].
  private(set) var outputRows: [Int32] = []
  private(set) var predictions: [Prediction] = []
  /// For each prediction, its row among W, and its target.
  private(set) var predictionRows: [Int32] = []
  private(set) var targets: [Int32] = []
  /// Where the predictions of each tree lie.
  private(set) var treePredictions: [Range<Int>] = []

  var rowCount: Int { tokens.count }
  var outputCount: Int { outputRows.count }

  /// Packs `trees`. Tokens after the last weighted one of their path are left out: nothing depends
  /// on them.
  ///
  /// Precondition: no path is longer than the model's context, and every token is in its
  /// vocabulary.
  init(_ trees: [PrefixTree], _ configuration: ModelConfiguration) {
    for (treeIndex, tree) in trees.enumerated() {
      let firstPrediction = predictions.count
      pack(tree, treeIndex, configuration.vocabularySize, configuration.maximumPositions)
      treePredictions.append(firstPrediction..<predictions.count)
    }
  }

  private mutating func pack(
    _ tree: PrefixTree, _ treeIndex: Int, _ vocabularySize: Int, _ maximumPositions: Int
  ) {
    let kept = Self.keptCounts(tree)
    // The tree's segments that are kept, by their index in the tree.
    var packed: [Int: Int] = [:]
    var ends: [Int] = []
    var predicting: Set<Int32> = []
    var found: [(row: Int32, prediction: Prediction, target: Int32)] = []
    let firstSegment = segments.count
    let treeStart = tokens.count
    for (index, segment) in tree.segments.enumerated() {
      let start = segment.parent.map { ends[$0] } ?? 0
      ends.append(start + segment.tokens.count)
      guard kept[index] > 0 || segment.weights.contains(where: { $0 != 0 }) else { continue }
      let firstRow = tokens.count
      precondition(
        start + kept[index] <= maximumPositions,
        "a path of \(start + kept[index]) tokens is beyond the model's context of \(maximumPositions)"
      )
      for i in 0..<kept[index] {
        let token = segment.tokens[i]
        precondition(
          0 <= token && token < vocabularySize,
          "token \(token) of a vocabulary of \(vocabularySize)")
        tokens.append(Int32(token))
        positions.append(Int32(start + i))
        visible.append(Int32(i + 1))
        dropoutKeys.append(
          mixed(tree.dropoutKey &+ mixed(UInt32(truncatingIfNeeded: firstRow - treeStart + i))))
      }
      var ancestors: [Range<Int>] = []
      if let parent = nearest(segment.parent, in: tree, packed) {
        let above = segments[parent]
        ancestors = above.ancestors
        if let last = ancestors.last, last.upperBound == above.rows.lowerBound {
          ancestors[ancestors.count - 1] = last.lowerBound..<above.rows.upperBound
        } else if !above.rows.isEmpty {
          ancestors.append(above.rows)
        }
      }
      packed[index] = segments.count
      segments.append(Segment(rows: firstRow..<tokens.count, outputs: 0..<0, ancestors: ancestors))
      for (i, weight) in segment.weights.enumerated() where weight != 0 {
        let row = i > 0 ? firstRow + i - 1 : ancestors.last.map { $0.upperBound - 1 }
        guard let row else {
          preconditionFailure("a weighted token of segment \(index) has nothing before it")
        }
        let target = segment.tokens[i]
        precondition(
          0 <= target && target < vocabularySize,
          "token \(target) of a vocabulary of \(vocabularySize)")
        predicting.insert(Int32(row))
        found.append(
          (
            Int32(row),
            Prediction(
              tree: treeIndex, segment: index, index: i, weight: weight,
              reference: segment.references?[i] ?? 0), Int32(target)
          ))
        if segment.measuresRepeats, weight < 0 {
          predicting.insert(Int32(firstRow + i))
          found.append(
            (
              Int32(firstRow + i),
              Prediction(tree: treeIndex, segment: index, index: i, weight: 0, isRepeat: true),
              Int32(target)
            ))
        }
      }
    }
    let firstOutput = outputRows.count
    outputRows.append(contentsOf: predicting.sorted())
    var place: [Int32: Int32] = [:]
    for w in firstOutput..<outputRows.count { place[outputRows[w]] = Int32(w) }
    var next = firstOutput
    for s in firstSegment..<segments.count {
      let start = next
      while next < outputRows.count, Int(outputRows[next]) < segments[s].rows.upperBound {
        next += 1
      }
      segments[s].outputs = start..<next
    }
    for one in found {
      predictions.append(one.prediction)
      predictionRows.append(place[one.row] ?? 0)
      targets.append(one.target)
    }
  }

  /// The packed index of the nearest ancestor that was kept, starting with `parent` itself.
  private func nearest(_ parent: Int?, in tree: PrefixTree, _ packed: [Int: Int]) -> Int? {
    var candidate = parent
    while let index = candidate {
      if let found = packed[index] { return found }
      candidate = tree.segments[index].parent
    }
    return nil
  }

  /// How many leading tokens of each segment something depends on.
  fileprivate static func keptCounts(_ tree: PrefixTree) -> [Int] {
    var kept = Array(repeating: 0, count: tree.segments.count)
    var isContinued = Array(repeating: false, count: tree.segments.count)
    for (index, segment) in tree.segments.enumerated().reversed() {
      let last = segment.weights.lastIndex { $0 != 0 }
      // The token before a prediction is needed; a prediction at 0 needs the parent alone.
      kept[index] = isContinued[index] ? segment.tokens.count : (last ?? 0)
      // A repeat is predicted from the token itself.
      if segment.measuresRepeats, let last = segment.weights.lastIndex(where: { $0 < 0 }) {
        kept[index] = max(kept[index], last + 1)
      }
      if isContinued[index] || last != nil, let parent = segment.parent {
        isContinued[parent] = true
      }
    }
    return kept
  }
}

extension PrefixTree {
  /// The tokens that a pass computes: each once, without those after the last weighted one of their path.
  public var computedTokenCount: Int { PackedBatch.keptCounts(self).reduce(0, +) }
}

/// A good hash of 32 bits ("lowbias32", Wellons, https://nullprogram.com/blog/2018/07/31/).
func mixed(_ x: UInt32) -> UInt32 {
  var h = x
  h = (h ^ (h >> 16)) &* 0x7feb_352d
  h = (h ^ (h >> 15)) &* 0x846c_a68b
  return h ^ (h >> 16)
}

/// A token that is predicted: which, and with what weight.
public struct Prediction: Sendable, Hashable {
  /// The example's index among the trees of the call.
  public let tree: Int
  /// The segment's index in its tree.
  public let segment: Int
  /// The token's index in its segment.
  public let index: Int
  /// Its weight there.
  public let weight: Float
  /// Its -log p under the reference model there; 0 where there is none.
  public let reference: Float
  /// Whether this is the token predicted once more right after itself, with weight 0; it follows the
  /// token's own prediction (`Segment.measuresRepeats`).
  public let isRepeat: Bool

  public init(
    tree: Int, segment: Int, index: Int, weight: Float, reference: Float = 0, isRepeat: Bool = false
  ) {
    self.tree = tree
    self.segment = segment
    self.index = index
    self.weight = weight
    self.reference = reference
    self.isRepeat = isRepeat
  }
}
