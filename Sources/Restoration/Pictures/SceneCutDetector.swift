/// Tells on the arriving frames where a new scene begins.
///
/// Frames are compared as thumbnails of mean luma. The difference is what the last frame cannot
/// explain of the new one even if it is moved a little (pans) and its brightness and contrast are
/// changed (fades, flashes): 1 - correlation. It must also amount to some luma levels, and stand
/// out from the motion of the frames before, so that wild scenes do not cut themselves to pieces.
///
/// Neighbouring frames of the moving clips that this was made on differ by 0.16 at most, unrelated
/// photographs by 0.29 or more in 99 of 100 pairs.
struct SceneCutDetector {
  private static let leastDifference: Float = 0.25
  /// In luma levels, standard deviation. Cuts between two nearly flat pictures stay unseen, and
  /// harm nobody.
  private static let leastChange: Float = 8
  /// How far a cut must stand out from recent differences.
  private static let prominence: Float = 2.5
  private static let sureDifference: Float = 0.6
  /// The share of the newest frame in the recent difference.
  private static let freshness: Float = 0.2

  private var last: Thumbnail
  private var current: Thumbnail
  private var hasLast = false
  private var recentDifference: Float = 0

  init(width: Int, height: Int) {
    last = Thumbnail(width: width, height: height)
    current = last
  }

  /// The next frame follows none.
  mutating func forget() { hasLast = false }

  /// Takes the next frame of the stream.
  /// - Parameter rgb: [height, width, 3], 0...255.
  /// - Returns: whether it begins a scene. The first frame of all does not: nothing ends there.
  mutating func isCut(before rgb: [Float]) -> Bool {
    swap(&last, &current)
    current.draw(rgb)
    guard hasLast else {
      hasLast = true
      recentDifference = 0
      return false
    }
    let (difference, change) = current.difference(from: last)
    let threshold = max(
      Self.leastDifference, min(Self.sureDifference, Self.prominence * recentDifference))
    if difference > threshold, change > Self.leastChange {
      recentDifference = 0
      return true
    }
    recentDifference += Self.freshness * (difference - recentDifference)
    return false
  }
}

/// Mean luma of a frame's cells, up to 32 x 18 of them, 8 pixels wide or more.
private struct Thumbnail {
  /// In cells.
  private static let reach = 3

  private let columns, rows, width, height: Int
  private var cells: [Float]

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    columns = min(32, max(1, width / 8))
    rows = min(18, max(1, height / 8))
    cells = Array(repeating: 0, count: columns * rows)
  }

  mutating func draw(_ rgb: [Float]) {
    rgb.withUnsafeBufferPointer { rgb in
      for row in 0..<rows {
        let lines = row * height / rows..<(row + 1) * height / rows
        for column in 0..<columns {
          let pixels = column * width / columns..<(column + 1) * width / columns
          var sum: Float = 0
          for line in lines {
            for pixel in pixels {
              let place = (line * width + pixel) * 3
              // BT.601's weights; any would do.
              sum += 0.299 * rgb[place] + 0.587 * rgb[place + 1] + 0.114 * rgb[place + 2]
            }
          }
          cells[row * columns + column] = sum / Float(lines.count * pixels.count)
        }
      }
    }
  }

  /// What `other` leaves unexplained: as a share of the variance, and as a standard deviation in
  /// luma levels.
  func difference(from other: Thumbnail) -> (share: Float, deviation: Float) {
    // A quarter of the picture at most, so that what remains can still tell.
    let down = min(Self.reach, rows / 4)
    let across = min(Self.reach, columns / 4)
    var best: Float = 0
    for y in -down...down {
      for x in -across...across { best = max(best, correlation(with: other, movedBy: (x, y))) }
    }
    let share = 1 - best
    let variance = max(variance, other.variance)
    return (share, (variance * (1 - best * best)).squareRoot())
  }

  private var variance: Float {
    let mean = cells.reduce(0, +) / Float(cells.count)
    return cells.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Float(cells.count)
  }

  private func correlation(with other: Thumbnail, movedBy shift: (x: Int, y: Int)) -> Float {
    let rowRange = max(0, shift.y)..<rows + min(0, shift.y)
    let columnRange = max(0, shift.x)..<columns + min(0, shift.x)
    var sumA: Float = 0
    var sumB: Float = 0
    var sumAA: Float = 0
    var sumBB: Float = 0
    var sumAB: Float = 0
    for row in rowRange {
      for column in columnRange {
        // About the middle of the range, to keep the sums' digits.
        let a = cells[row * columns + column] - 128
        let b = other.cells[(row - shift.y) * columns + column - shift.x] - 128
        sumA += a
        sumB += b
        sumAA += a * a
        sumBB += b * b
        sumAB += a * b
      }
    }
    let count = Float(rowRange.count * columnRange.count)
    let covariance = sumAB - sumA * sumB / count
    let variances = (sumAA - sumA * sumA / count) * (sumBB - sumB * sumB / count)
    return variances > 0 ? max(0, covariance / variances.squareRoot()) : 0
  }
}
