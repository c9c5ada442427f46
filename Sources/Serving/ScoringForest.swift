import LanguageModel

/// A sequence whose tokens are to be predicted.
package struct ScoringRequest: Sendable {
  /// One or more.
  package var tokens: [Int]
  /// How many of the likeliest tokens are reported in each place.
  package var likeliest: Int
  /// Whether the token that would follow is predicted as well.
  package var predictsNext: Bool

  package init(tokens: [Int], likeliest: Int, predictsNext: Bool = false) {
    (self.tokens, self.likeliest, self.predictsNext) = (tokens, likeliest, predictsNext)
  }
}

/// What the model says of a sequence's tokens.
package struct SequenceScores: Sendable {
  /// Of each token but the first, before which nothing stands.
  package var tokens: [TokenPrediction]
  /// Of the place after the last one: at least the likeliest token. Its own token has no meaning.
  package var next: TokenPrediction?
}

/// Sequences as prefix trees, in which each common start stands once.
package struct ScoringForest {
  package private(set) var trees: [PrefixTree] = []
  /// Where each sequence ends: its tree, and its last segment there.
  private var ends: [(tree: Int, segment: Int)]
  /// For each tree and segment, the leaf that predicts what follows.
  private var leaves: [[Int: Int]] = []
  private let requests: [ScoringRequest]

  /// Precondition: no sequence is empty.
  package init(_ requests: [ScoringRequest]) {
    self.requests = requests
    ends = Array(repeating: (0, 0), count: requests.count)
    let order = requests.indices.sorted {
      requests[$0].tokens.lexicographicallyPrecedes(requests[$1].tokens)
    }
    var start = 0
    while start < order.count {
      let first = requests[order[start]].tokens[0]
      let end =
        order[start...].firstIndex { requests[$0].tokens[0] != first } ?? order.count
      var segments: [Segment] = []
      leaves.append([:])
      grow(order[start..<end], depth: 0, parent: nil, &segments)
      trees.append(PrefixTree(segments))
      start = end
    }
  }

  /// Adds the tokens from `depth` on of the sequences `order`, which are alike before it and sorted.
  private mutating func grow(
    _ order: ArraySlice<Int>, depth: Int, parent: Int?, _ segments: inout [Segment]
  ) {
    var start = order.startIndex
    while start < order.endIndex, let parent, requests[order[start]].tokens.count == depth {
      ends[order[start]] = (trees.count, parent)
      if requests[order[start]].predictsNext, leaves[trees.count][parent] == nil {
        leaves[trees.count][parent] = segments.count
        segments.append(Segment(tokens: [0], parent: parent, weights: [1]))
      }
      start += 1
    }
    while start < order.endIndex {
      let first = requests[order[start]].tokens
      let end =
        order[start...].firstIndex { requests[$0].tokens[depth] != first[depth] } ?? order.endIndex
      let last = requests[order[end - 1]].tokens
      let run = Array(first[depth..<first.commonStart(with: last)])
      var weights = [Float](repeating: 1, count: run.count)
      if parent == nil { weights[0] = 0 }
      segments.append(Segment(tokens: run, parent: parent, weights: weights))
      grow(order[start..<end], depth: depth + run.count, parent: segments.count - 1, &segments)
      start = end
    }
  }

  /// The scores of each sequence, given the predictions of `trees`, which have enough likeliest tokens.
  package func scores(_ predictions: [[(place: Prediction, token: TokenPrediction)]])
    -> [SequenceScores]
  {
    let bySegment = predictions.map { tree in
      Dictionary(grouping: tree, by: \.place.segment).mapValues { $0.map(\.token) }
    }
    return zip(requests, ends).map { request, end in
      func trimmed(_ prediction: TokenPrediction, _ count: Int) -> TokenPrediction {
        var prediction = prediction
        prediction.likeliest = Array(prediction.likeliest.prefix(count))
        return prediction
      }
      var runs: [[TokenPrediction]] = []
      var segment: Int? = end.segment
      while let index = segment {
        runs.append(bySegment[end.tree][index] ?? [])
        segment = trees[end.tree].segments[index].parent
      }
      let next = leaves[end.tree][end.segment].flatMap { bySegment[end.tree][$0]?.first }
      return SequenceScores(
        tokens: runs.reversed().joined().map { trimmed($0, request.likeliest) },
        next: request.predictsNext ? next.map { trimmed($0, max(1, request.likeliest)) } : nil)
    }
  }
}

extension [Int] {
  /// How many tokens the two begin with alike.
  func commonStart(with other: [Int]) -> Int {
    var count = 0
    while count < Swift.min(self.count, other.count), self[count] == other[count] { count += 1 }
    return count
  }
}
