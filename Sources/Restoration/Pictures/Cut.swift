import Glibc
import TensorCore

/// One side of a picture, cut into pieces of one length that overlap.
struct Cut: Sendable, Equatable {
  /// By which neighbours overlap at least, in pixels; more where the networks' multiple makes it
  /// so.
  static let leastOverlap = 128

  /// Of a piece, a multiple of what the networks can divide.
  let length: Int
  /// Where pieces begin.
  let starts: [Int]

  /// Cuts a side into so many pieces.
  /// - Parameter multiple: of the side, of the pieces' length and of their starts.
  /// - Returns: nil where pieces would be so short that more than two overlap.
  init?(_ side: Int, pieces: Int, multiple: Int) {
    guard pieces > 1 else {
      length = side
      starts = [0]
      return
    }
    let overlap = Self.leastOverlap.roundedUp(to: multiple)
    let shared = side + (pieces - 1) * overlap
    let length = ((shared + pieces - 1) / pieces).roundedUp(to: multiple)
    guard length >= 3 * overlap, length < side else { return nil }
    let steps = (side - length) / multiple
    let starts = (0..<pieces).map { $0 * steps / (pieces - 1) * multiple }
    guard zip(starts, starts.dropFirst(2)).allSatisfy({ $0 + length <= $1 }) else { return nil }
    self.length = length
    self.starts = starts
  }

  /// What each piece counts at each of its places. At any place of the whole the pieces' weights
  /// add up to 1.
  ///
  /// Weights rise from 0 to 1 along the middle half of an overlap, as half a wave of a cosine. What
  /// lies nearer to an end of a piece, where the networks saw zeros instead of a neighbourhood,
  /// does not count.
  func weights() -> [[Float]] {
    var weights = starts.map { _ in [Float](repeating: 1, count: length) }
    for piece in starts.indices.dropFirst() {
      let distance = starts[piece] - starts[piece - 1]
      let overlap = length - distance
      let margin = overlap / 4
      for place in 0..<overlap {
        let way = (Float(place - margin) + 0.5) / Float(overlap - 2 * margin)
        let share = 0.5 - 0.5 * cosf(min(max(way, 0), 1) * .pi)
        weights[piece][place] = share
        weights[piece - 1][distance + place] = 1 - share
      }
    }
    return weights
  }
}
