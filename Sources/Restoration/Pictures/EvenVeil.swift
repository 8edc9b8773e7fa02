/// A veil that is the same all over a picture, of which a gain and an offset leave nothing, told
/// from one that is thicker in places by what networks make of the picture, and of the picture with
/// its levels stretched: nearly a gain and an offset, and nothing at all.
final class EvenVeil {
  /// How much of a change, root mean square of 255 levels, is none.
  private static let none: Float = 1
  /// How much of what they change may be other than a gain and an offset.
  private static let uneven: Float = 0.17
  /// Both are so much wider where the frame before had an even veil, so that it does not come and
  /// go.
  private static let afterOne: Float = 1.4

  private var levels: LevelStretch
  /// What the networks make of the stretched picture.
  private var restored: [Float]
  private var isThere = false

  /// - Parameter frameCount: elements of a frame.
  init(frameCount: Int) {
    levels = LevelStretch(frameCount: frameCount)
    restored = Array(repeating: 0, count: frameCount)
  }

  /// Bytes of all that is held.
  static func byteCount(frameCount: Int) -> Int {
    LevelStretch.byteCount(frameCount: frameCount) + frameCount * MemoryLayout<Float>.size
  }

  /// Gives a frame with its levels stretched in the place of what the networks made of it, where
  /// its veil is even.
  /// - Parameters:
  ///   - frame: [height, width, 3], 0...255.
  ///   - restored: what the networks made of it.
  ///   - restore: has them make the like of another picture.
  func lift(
    from restored: inout [Float], of frame: [Float],
    restore: (_ picture: [Float], _ restored: inout [Float]) throws -> Void
  ) rethrows {
    let patience = isThere ? Self.afterOne : 1
    isThere = false
    let change = Change(from: frame, to: restored)
    guard change.all > Self.none, change.uneven <= Self.uneven * patience * change.all else {
      return
    }
    levels.take(frame)
    try restore(levels.picture, &self.restored)
    isThere = Change(from: levels.picture, to: self.restored).all <= Self.none * patience
    // Copied: were the memory shared, it would be copied whenever one of both is written.
    if isThere { for index in restored.indices { restored[index] = levels.picture[index] } }
  }

  /// What comes belongs to another scene.
  func forget() { isThere = false }

  /// From one picture to another, root mean squares.
  private struct Change {
    let all: Float
    /// What the gain and the offset that come nearest leave.
    let uneven: Float

    init(from a: [Float], to b: [Float]) {
      let count = Double(max(a.count, 1))
      // About the middle, so that little is lost in the sums' differences.
      var (x, y, xx, xy, yy, change) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
      for index in a.indices {
        let (from, to) = (Double(a[index]) - 128, Double(b[index]) - 128)
        x += from
        y += to
        xx += from * from
        xy += from * to
        yy += to * to
        change += (to - from) * (to - from)
      }
      let (varianceOfX, varianceOfY) = (xx - x * x / count, yy - y * y / count)
      let covariance = xy - x * y / count
      let left = varianceOfX > 0 ? varianceOfY - covariance * covariance / varianceOfX : varianceOfY
      all = Float((change / count).squareRoot())
      uneven = Float((max(left, 0) / count).squareRoot())
    }
  }
}
