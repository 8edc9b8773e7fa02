/// Cuts words into the pieces that are most probable together (Viterbi 1967), each independent of
/// the others.
///
/// Reference: Kudo 2018, "Subword regularization", eq. 1 and 3; as the Rust crate `tokenizers` does
/// it.
struct UnigramModel: Sendable {
  /// Number of pieces.
  let count: Int

  private let pieces: ByteTrie
  /// The logarithm of each piece's probability.
  private let scores: [Double]
  private let unknown: Int32
  /// What a character counts that no piece of its length stands for.
  private let unknownScore: Double

  /// - Parameters:
  ///   - pieces: by their numbers; of equal texts the last one holds. Fewer than 2³¹.
  ///   - unknown: the number of the piece for what no other stands for.
  init(_ pieces: [(text: String, score: Double)], unknown: Int32) {
    var trie = ByteTrie()
    for (id, piece) in pieces.enumerated() { trie.insert(piece.text, Int32(id)) }
    self.pieces = trie
    count = pieces.count
    scores = pieces.map(\.score)
    self.unknown = unknown
    unknownScore = (scores.min() ?? 0) - 10
  }

  /// The number of a piece.
  subscript(text: String) -> Int32? { pieces[text.utf8] }

  /// The best way to a place in the word.
  private struct Step {
    var score = 0.0
    /// Where its last piece starts; negative while there is no way.
    var start = -1
    var piece: Int32 = 0
  }

  /// The pieces of a word; characters in a row that none stands for are one.
  /// - Complexity: O(n m) in the word's bytes and those of the longest piece.
  func encode(_ word: String) -> [Int32] {
    let bytes = Array(word.utf8)
    var steps = Array(repeating: Step(), count: bytes.count + 1)
    func consider(_ piece: Int32, from start: Int, to end: Int, score: Double) {
      let score = steps[start].score + score
      if steps[end].start < 0 || score > steps[end].score {
        steps[end] = Step(score: score, start: start, piece: piece)
      }
    }
    var start = 0
    for scalar in word.unicodeScalars {
      let next = start + UTF8.width(scalar)
      var isKnown = false
      pieces.forEachMatch(in: bytes, from: start) { end, piece in
        consider(piece, from: start, to: end, score: scores[Int(piece)])
        if end == next { isKnown = true }
      }
      if !isKnown { consider(unknown, from: start, to: next, score: unknownScore) }
      start = next
    }

    var tokens: [Int32] = []
    var end = bytes.count
    while end > 0 {
      let step = steps[end]
      var start = step.start
      guard step.piece == unknown else {
        tokens.append(step.piece)
        end = start
        continue
      }
      while start > 0, steps[start].piece == unknown { start = steps[start].start }
      // Scores may be such that the run is a piece although its characters were better than it.
      tokens.append(pieces[bytes[start..<end]] ?? unknown)
      end = start
    }
    return tokens.reversed()
  }
}
