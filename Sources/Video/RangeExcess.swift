/// What a picture's colours have beyond RGB's range, which networks are not shown, and what of it
/// restored pictures get back.
///
/// Codes of video reach below black, above white, and to colours that RGB lacks: where colours are
/// kept at half the size, the edges of saturated ones have these. Noise reaches there, too. So a
/// pixel gets its excess e back as far as that is larger than what was changed about it:
/// max(0, 1 - 8 v / e²) of it, v being the mean square of the changes within two pixels each way.
public struct RangeExcess: Sendable {
  private static let reach = 2
  private static let caution: Float = 8

  private let size: PictureSize
  /// Squares of the changes, [height, width].
  private var changes: [Float]

  public init(_ size: PictureSize) {
    self.size = size
    changes = Array(repeating: 0, count: size.pixelCount)
  }

  /// Bytes of the buffers that are made once.
  public var bufferByteCount: Int { changes.count * MemoryLayout<Float>.size }

  /// What networks are shown of a picture: each value within 0...255.
  public static func cut(_ rgb: inout [Float]) {
    rgb.withUnsafeMutableBufferPointer { rgb in
      for index in rgb.indices { rgb[index] = clamped(rgb[index]) }
    }
  }

  /// - Parameters:
  ///   - source: the picture as it came, [height, width, 3].
  ///   - restored: what its cut picture was restored to; takes the whole.
  public mutating func giveBack(_ source: [Float], to restored: inout [Float]) {
    let (width, height) = (size.width, size.height)
    precondition(source.count == 3 * size.pixelCount && restored.count == source.count)
    source.withUnsafeBufferPointer { source in
      restored.withUnsafeMutableBufferPointer { restored in
        changes.withUnsafeMutableBufferPointer { changes in
          for pixel in changes.indices {
            var sum: Float = 0
            for index in 3 * pixel..<3 * pixel + 3 {
              restored[index] = clamped(restored[index])
              let change = restored[index] - clamped(source[index])
              sum += change * change
            }
            changes[pixel] = sum
          }
          for y in 0..<height {
            let rows = max(y - Self.reach, 0)...min(y + Self.reach, height - 1)
            for x in 0..<width {
              let first = 3 * (y * width + x)
              let excess = (
                source[first] - clamped(source[first]),
                source[first + 1] - clamped(source[first + 1]),
                source[first + 2] - clamped(source[first + 2])
              )
              let square =
                excess.0 * excess.0 + excess.1 * excess.1 + excess.2 * excess.2
              guard square > 0 else { continue }
              let columns = max(x - Self.reach, 0)...min(x + Self.reach, width - 1)
              var sum: Float = 0
              for row in rows {
                for column in columns { sum += changes[row * width + column] }
              }
              let mean = sum / Float(rows.count * columns.count)
              let share = max(0, 1 - Self.caution * mean / square)
              restored[first] += share * excess.0
              restored[first + 1] += share * excess.1
              restored[first + 2] += share * excess.2
            }
          }
        }
      }
    }
  }
}
