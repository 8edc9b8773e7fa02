/// Gives restored pictures back what their colours had beyond RGB's range, which networks are not
/// shown.
public protocol ExcessReturn: Sendable {
  /// Bytes of the buffers that are made once.
  var bufferByteCount: Int { get }

  /// - Parameters:
  ///   - source: the picture as it came, [height, width, 3].
  ///   - restored: what its cut picture was restored to; is cut itself, and takes what comes back.
  mutating func giveBack(_ source: [Float], to restored: inout [Float])
}

/// What a picture's colours have beyond RGB's range, and what of it restored pictures get back.
///
/// Codes of video reach below black, above white, and to colours that RGB lacks: vivid ones do
/// where the stream's matrix is not the one that it is read by, and edges of such where colours are
/// kept at half the size. Noise reaches there, too, and half of black's does.
///
/// So each value's excess comes back as Wiener's filter has it. Within two pixels each way let m
/// and s² be the excess's mean and variance and v the mean square of what was changed about the
/// colour; and n the larger of v and of that mean over all of the picture that is not beyond. Of
/// the mean max(0, 1 - n / m²) comes back, and of what differs from it max(0, 1 - n / s²): all
/// where nothing was changed, the mean alone where a colour lies beyond as a whole, nothing where
/// noise does.
public struct RangeExcess: ExcessReturn {
  private static let reach = 2

  private let size: PictureSize
  /// Squares of the changes, [height, width, 3].
  private var changes: [Float]
  /// Whether a row has anything beyond.
  private var isBeyond: [Bool]
  /// Sums over a window's rows, [3][reach + width + reach, 3]: of the excess, its squares and the
  /// changes'; 0 where the picture has no columns.
  private var sums: [[Float]]
  /// [width, 3]: one over a window's columns.
  private let shares: [Float]

  public init(_ size: PictureSize) {
    self.size = size
    changes = Array(repeating: 0, count: 3 * size.pixelCount)
    isBeyond = Array(repeating: false, count: size.height)
    sums = Array(
      repeating: Array(repeating: 0, count: 3 * (size.width + 2 * Self.reach)), count: 3)
    shares = (0..<size.width).flatMap { x in
      Array(repeating: 1 / Float(Self.window(x, size.width).count), count: 3)
    }
  }

  public var bufferByteCount: Int {
    (changes.count + 3 * sums[0].count + shares.count) * MemoryLayout<Float>.size + isBeyond.count
  }

  /// What networks are shown of a picture: each value within 0...255.
  public static func cut(_ rgb: inout [Float]) {
    rgb.withUnsafeMutableBufferPointer { rgb in
      for index in rgb.indices { rgb[index] = clamped(rgb[index]) }
    }
  }

  public mutating func giveBack(_ source: [Float], to restored: inout [Float]) {
    precondition(source.count == changes.count && restored.count == source.count)
    let everywhere = compare(source, &restored)
    for y in 0..<size.height {
      let rows = Self.window(y, size.height)
      guard isBeyond[rows].contains(true) else { continue }
      sum(source, rows)
      giveBackLine(source, y, rows.count, everywhere, to: &restored)
    }
  }

  /// The rows or columns within reach of one of `count`.
  private static func window(_ place: Int, _ count: Int) -> ClosedRange<Int> {
    max(place - reach, 0)...min(place + reach, count - 1)
  }

  /// Cuts the restored picture; the mean square of what was changed where nothing is beyond.
  private mutating func compare(_ source: [Float], _ restored: inout [Float]) -> Float {
    let lineCount = 3 * size.width
    var (sum, count) = (0.0, 0)
    source.withUnsafeBufferPointer { source in
      restored.withUnsafeMutableBufferPointer { restored in
        changes.withUnsafeMutableBufferPointer { changes in
          for y in isBeyond.indices {
            var (lineSum, within): (Float, Int32) = (0, 0)
            for index in y * lineCount..<(y + 1) * lineCount {
              let shown = clamped(source[index])
              restored[index] = clamped(restored[index])
              let change = restored[index] - shown
              changes[index] = change * change
              lineSum += source[index] == shown ? change * change : 0
              within += source[index] == shown ? 1 : 0
            }
            isBeyond[y] = within < lineCount
            sum += Double(lineSum)
            count += Int(within)
          }
        }
      }
    }
    return count == 0 ? 0 : Float(sum / Double(count))
  }

  private mutating func sum(_ source: [Float], _ rows: ClosedRange<Int>) {
    let lineCount = 3 * size.width
    for place in sums.indices {
      sums[place].withUnsafeMutableBufferPointer { sums in
        sums.update(repeating: 0)
        let sums = sums.baseAddress! + 3 * Self.reach
        source.withUnsafeBufferPointer { source in
          changes.withUnsafeBufferPointer { changes in
            for row in rows {
              let source = source.baseAddress! + row * lineCount
              let changes = changes.baseAddress! + row * lineCount
              switch place {
              case 0: for i in 0..<lineCount { sums[i] += source[i] - clamped(source[i]) }
              case 1:
                for i in 0..<lineCount {
                  let excess = source[i] - clamped(source[i])
                  sums[i] += excess * excess
                }
              default: for i in 0..<lineCount { sums[i] += changes[i] }
              }
            }
          }
        }
      }
    }
  }

  private func giveBackLine(
    _ source: [Float], _ y: Int, _ rowCount: Int, _ everywhere: Float, to restored: inout [Float]
  ) {
    let ofRows = 1 / Float(rowCount)
    let lineCount = 3 * size.width
    sums[0].withUnsafeBufferPointer { excesses in
      sums[1].withUnsafeBufferPointer { squares in
        sums[2].withUnsafeBufferPointer { changes in
          source.withUnsafeBufferPointer { source in
            restored.withUnsafeMutableBufferPointer { restored in
              let source = source.baseAddress! + y * lineCount
              let restored = restored.baseAddress! + y * lineCount
              for i in 0..<lineCount {
                func average(_ sums: UnsafeBufferPointer<Float>) -> Float {
                  let columns = sums[i] + sums[i + 3] + sums[i + 6] + sums[i + 9] + sums[i + 12]
                  return columns * ofRows * shares[i]
                }
                let (mean, change) = (average(excesses), average(changes))
                // Where both are 0 the share is 1.
                let least = Float.leastNormalMagnitude
                let noise = max(change, everywhere)
                let ofMean = max(0, 1 - noise / (mean * mean + least))
                let variance = max(0, average(squares) - mean * mean)
                let ofRest = max(0, 1 - noise / (variance + least))
                let excess = source[i] - clamped(source[i])
                restored[i] += ofRest * excess + (1 - ofRest) * ofMean * mean
              }
            }
          }
        }
      }
    }
  }
}
