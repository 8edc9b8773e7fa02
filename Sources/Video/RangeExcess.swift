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
  private let threads: Int
  /// Squares of the changes, [height, width, 3].
  private var changes: [Float]
  /// Of each row: the squares' sum over values that are not beyond, and how many these are.
  private var within: [(sum: Float, count: Int32)]
  /// Sums over a window's rows, [threads, 3, reach + width + reach, 3]: of the excess, its squares
  /// and the changes'; 0 where the picture has no columns.
  private var sums: [Float]
  /// [width, 3]: one over a window's columns.
  private let shares: [Float]

  /// - Parameter threads: that a picture is worked on by.
  public init(_ size: PictureSize, threads: Int = 1) {
    self.size = size
    self.threads = threads
    changes = Array(repeating: 0, count: 3 * size.pixelCount)
    within = Array(repeating: (0, 0), count: size.height)
    sums = Array(repeating: 0, count: threads * 3 * Self.sumCount(size))
    shares = (0..<size.width).flatMap { x in
      Array(repeating: 1 / Float(Self.window(x, size.width).count), count: 3)
    }
  }

  public var bufferByteCount: Int {
    (changes.count + sums.count + shares.count) * MemoryLayout<Float>.size
      + within.count * MemoryLayout<(Float, Int32)>.size
  }

  private static func sumCount(_ size: PictureSize) -> Int { 3 * (size.width + 2 * reach) }

  /// What networks are shown of a picture: each value within 0...255.
  public static func cut(_ rgb: inout [Float]) {
    rgb.withUnsafeMutableBufferPointer { rgb in
      for index in rgb.indices { rgb[index] = clamped(rgb[index]) }
    }
  }

  public mutating func giveBack(_ source: [Float], to restored: inout [Float]) {
    precondition(source.count == changes.count && restored.count == source.count)
    source.withUnsafeBufferPointer { source in
      restored.withUnsafeMutableBufferPointer { restored in
        let (source, restored) = (source.baseAddress!, restored.baseAddress!)
        compare(source, restored)
        giveBack(source, to: restored, everywhere: changeWithin)
      }
    }
  }

  /// The rows or columns within reach of one of `count`.
  private static func window(_ place: Int, _ count: Int) -> ClosedRange<Int> {
    max(place - reach, 0)...min(place + reach, count - 1)
  }

  /// Cuts the restored picture, and keeps the squares of what was changed.
  private mutating func compare(
    _ source: UnsafePointer<Float>, _ restored: UnsafeMutablePointer<Float>
  ) {
    let lineCount = 3 * size.width
    changes.withUnsafeMutableBufferPointer { changes in
      within.withUnsafeMutableBufferPointer { within in
        let (changes, within) = (changes.baseAddress!, within.baseAddress!)
        forBands(of: size.height, threads: threads) { _, rows in
          for y in rows {
            var (sum, count): (Float, Int32) = (0, 0)
            for index in y * lineCount..<(y + 1) * lineCount {
              let shown = clamped(source[index])
              restored[index] = clamped(restored[index])
              let change = restored[index] - shown
              changes[index] = change * change
              sum += source[index] == shown ? change * change : 0
              count += source[index] == shown ? 1 : 0
            }
            within[y] = (sum, count)
          }
        }
      }
    }
  }

  /// The mean square of what was changed where nothing is beyond.
  private var changeWithin: Float {
    let count = within.reduce(0) { $0 + Int($1.count) }
    return count == 0 ? 0 : Float(within.reduce(0.0) { $0 + Double($1.sum) } / Double(count))
  }

  private mutating func giveBack(
    _ source: UnsafePointer<Float>, to restored: UnsafeMutablePointer<Float>, everywhere: Float
  ) {
    let lineCount = 3 * size.width
    let sumCount = Self.sumCount(size)
    changes.withUnsafeBufferPointer { changes in
      within.withUnsafeBufferPointer { within in
        sums.withUnsafeMutableBufferPointer { sums in
          shares.withUnsafeBufferPointer { shares in
            let (changes, sums) = (changes.baseAddress!, sums.baseAddress!)
            let (height, shares) = (size.height, shares.baseAddress!)
            forBands(of: height, threads: threads) { band, lines in
              let own = Sums(
                excesses: sums + band * 3 * sumCount, count: sumCount, lineCount: lineCount)
              for y in lines {
                let rows = Self.window(y, height)
                guard within[rows].contains(where: { $0.count < lineCount }) else { continue }
                own.add(rows, of: source, changes: changes)
                own.giveBack(
                  source + y * lineCount, rowCount: rows.count, shares: shares,
                  everywhere: everywhere, to: restored + y * lineCount)
              }
            }
          }
        }
      }
    }
  }

  /// Sums over a window's rows.
  private struct Sums {
    let excesses: UnsafeMutablePointer<Float>
    /// Of each of the three kinds, and of a row without what is beside the picture.
    let count, lineCount: Int
    var squares: UnsafeMutablePointer<Float> { excesses + count }
    var changes: UnsafeMutablePointer<Float> { squares + count }

    func add(
      _ rows: ClosedRange<Int>, of source: UnsafePointer<Float>, changes: UnsafePointer<Float>
    ) {
      excesses.update(repeating: 0, count: 3 * count)
      let own = 3 * RangeExcess.reach
      let (excesses, squares, sums) = (excesses + own, squares + own, self.changes + own)
      for row in rows {
        let source = source + row * lineCount
        let changes = changes + row * lineCount
        for i in 0..<lineCount { excesses[i] += source[i] - clamped(source[i]) }
        for i in 0..<lineCount {
          let excess = source[i] - clamped(source[i])
          squares[i] += excess * excess
        }
        for i in 0..<lineCount { sums[i] += changes[i] }
      }
    }

    /// Of a line.
    func giveBack(
      _ source: UnsafePointer<Float>, rowCount: Int, shares: UnsafePointer<Float>,
      everywhere: Float, to restored: UnsafeMutablePointer<Float>
    ) {
      let ofRows = 1 / Float(rowCount)
      let (excesses, squares, changes) = (excesses, squares, changes)
      for i in 0..<lineCount {
        func average(_ sums: UnsafeMutablePointer<Float>) -> Float {
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
