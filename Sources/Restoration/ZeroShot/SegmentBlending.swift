/// How the segments of a long clip are joined: each goes over into the next along a line.
///
/// Frames are weighed when a segment is restored, and divided by all their weights when they leave.
struct SegmentBlending {
  let length, overlap: Int

  /// Of the segment's frames that no later one reaches.
  var advance: Int { length - overlap }

  /// - Parameters:
  ///   - count: the segment's frames.
  ///   - isFirst: nothing comes before it.
  ///   - isLast: nothing comes behind it.
  /// - Returns: each frame's weight.
  func weights(count: Int, isFirst: Bool, isLast: Bool) -> [Float] {
    var weights = [Float](repeating: 1, count: count)
    func part(_ place: Int) -> Float { Float(place + 1) / Float(overlap + 1) }
    if !isFirst { for place in 0..<min(overlap, count) { weights[place] = part(place) } }
    if !isLast { for place in 0..<overlap { weights[advance + place] = 1 - part(place) } }
    return weights
  }
}
