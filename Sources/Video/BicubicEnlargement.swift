/// Enlarges pictures of one size by a whole factor, as super-resolution begins.
///
/// Cubic convolution with a = -0.5 (what Pillow calls bicubic), each axis by itself; pixel centres
/// aligned, so that nothing shifts; edges replicated.
public struct BicubicEnlargement: Sendable {
  private let across: ResamplingFilter
  private let down: ResamplingFilter
  private let threads: Int

  /// - Parameters:
  ///   - width, height: of the pictures that are enlarged, 1 or more.
  ///   - factor: 1 or more.
  ///   - threads: that a picture is enlarged by.
  public init(width: Int, height: Int, factor: Int, threads: Int = 1) {
    self.init(from: (width, height), to: (width * factor, height * factor), threads: threads)
  }

  init(from: (width: Int, height: Int), to: (width: Int, height: Int), threads: Int) {
    self.threads = threads
    across = Self.filter(from.width, to.width)
    down = Self.filter(from.height, to.height)
  }

  private static func filter(_ input: Int, _ output: Int) -> ResamplingFilter {
    let scale = Double(input) / Double(output)
    return ResamplingFilter(
      inputCount: input,
      taps: (0..<output).map { CubicKernel.taps(at: (Double($0) + 0.5) * scale - 0.5) })
  }

  /// Values that overshoot are clamped to `limits`.
  /// - Parameters:
  ///   - picture: [height, width, channels]
  ///   - channels: values a pixel, interleaved.
  ///   - enlarged: [height × factor, width × factor, channels]; made as large where it is not.
  public func callAsFunction(
    _ picture: [Float], channels: Int = 3, limits: ClosedRange<Float> = 0...255,
    into enlarged: inout [Float]
  ) {
    let lineCount = across.inputCount * channels
    precondition(picture.count == lineCount * down.inputCount)
    let count = across.outputCount * down.outputCount * channels
    if enlarged.count != count { enlarged = [Float](repeating: 0, count: count) }
    picture.withUnsafeBufferPointer { picture in
      enlarged.withUnsafeMutableBufferPointer { enlarged in
        let (picture, enlarged) = (picture.baseAddress!, enlarged.baseAddress!)
        forBands(of: down.outputCount, threads: threads) { _, rows in
          withUnsafeTemporaryAllocation(of: Float.self, capacity: lineCount) { line in
            let line = line.baseAddress!
            for y in rows {
              let output = enlarged + y * across.outputCount * channels
              down.combineLines(picture, lineCount: lineCount, at: y, into: line)
              across.resampleLine(line, into: output, channels: channels)
              for x in 0..<across.outputCount * channels {
                output[x] = min(max(output[x], limits.lowerBound), limits.upperBound)
              }
            }
          }
        }
      }
    }
  }
}
