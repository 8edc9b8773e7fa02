import CKernels
import Testing

/// The Haar transform against its definition.
@Suite("In C, the Haar transform")
struct CHaarTests {
  /// Rows and columns of blocks, channels, threads.
  static let shapes: [(Int, Int, Int, Int32)] = [
    (1, 1, 3, 1), (2, 5, 3, 2), (7, 33, 3, 2), (90, 160, 3, 2), (3, 4, 1, 1), (5, 17, 4, 2),
  ]
  /// Of a block's pixels, row by row.
  private static let signs: [[Double]] = [
    [1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1],
  ]
  private static let factors: [Float] = [0.5, 2, 1.5, -0.25]

  /// For each element of the bands, those of the image that it sums up.
  private func pixels(_ index: Int, _ columns: Int, _ channels: Int) -> (band: Int, [Int]) {
    let (block, within) = index.quotientAndRemainder(dividingBy: 4 * channels)
    let (row, column) = block.quotientAndRemainder(dividingBy: columns)
    let (band, channel) = within.quotientAndRemainder(dividingBy: channels)
    let places = (0..<4).map { pixel in
      ((2 * row + pixel / 2) * 2 * columns + 2 * column + pixel % 2) * channels + channel
    }
    return (band, places)
  }

  @Test("takes blocks of pixels to bands", arguments: shapes)
  func analysis(rows: Int, columns: Int, channels: Int, threads: Int32) {
    var noise = Noise(UInt64(rows))
    let image = noise.normals(4 * rows * columns * channels)
    let expected = image.indices.map { index in
      let (band, places) = pixels(index, columns, channels)
      let sum = zip(Self.signs[band], places).reduce(0) { $0 + $1.0 * Double(image[$1.1]) }
      return sum * Double(Self.factors[band])
    }
    withEachInstructionSet { isa in
      let x = Guarded(TDM_F32, image)
      let out = Guarded(TDM_F32, count: image.count)
      tdm_haar_analysis(
        out.start.assumingMemoryBound(to: Float.self), x.start.assumingMemoryBound(to: Float.self),
        rows, columns, channels, Self.factors, threads)
      let distance = Distance(out.values(TDM_F32), from: expected)
      #expect(distance.relative < 1e-6 && out.isIntact, "set \(isa): \(distance)")
    }
  }

  @Test("takes bands to blocks of pixels", arguments: shapes)
  func synthesis(rows: Int, columns: Int, channels: Int, threads: Int32) {
    var noise = Noise(UInt64(columns))
    let bands = noise.normals(4 * rows * columns * channels)
    var expected = [Double](repeating: 0, count: bands.count)
    for index in bands.indices {
      let (band, places) = pixels(index, columns, channels)
      for (sign, place) in zip(Self.signs[band], places) {
        expected[place] += sign * Double(bands[index]) * Double(Self.factors[band])
      }
    }
    withEachInstructionSet { isa in
      let x = Guarded(TDM_F32, bands)
      let out = Guarded(TDM_F32, count: bands.count)
      tdm_haar_synthesis(
        out.start.assumingMemoryBound(to: Float.self), x.start.assumingMemoryBound(to: Float.self),
        rows, columns, channels, Self.factors, threads)
      let distance = Distance(out.values(TDM_F32), from: expected)
      #expect(distance.relative < 1e-6 && out.isIntact, "set \(isa): \(distance)")
    }
  }
}
