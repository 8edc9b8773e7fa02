/// Gives a restored frame the coarse colours of what the networks were given: what is lost to the
/// autoencoder or drifts in sampling comes back, details stay the restored ones.
///
/// Not for haze, which is a coarse colour itself.
///
/// Reference: Wang et al. 2023 (StableSR), section 3.4; the à trous wavelet's low band is linear,
/// so that the low band of the difference is added instead of exchanging low bands.
struct WaveletColorFix {
  private static let levels = 5

  private let width, height: Int
  private var difference: [Float]
  private var scratch: [Float]

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    difference = Array(repeating: 0, count: width * height * 3)
    scratch = difference
  }

  /// - Parameters:
  ///   - frame: restored, [height, width, 3], 0...255; changed in place.
  ///   - input: as the networks were given it, alike.
  mutating func apply(to frame: inout [Float], from input: [Float]) {
    for index in difference.indices {
      difference[index] = input[index] - min(max(frame[index], 0), 255)
    }
    for level in 0..<Self.levels {
      let distance = 1 << level
      // Along rows a neighbour is `distance` pixels away, along columns as many rows.
      Self.blur(difference, into: &scratch, length: width, step: 3, distance: distance)
      Self.blur(scratch, into: &difference, length: height, step: width * 3, distance: distance)
    }
    for index in difference.indices { frame[index] += difference[index] }
  }

  /// (before + 2 · here + after) / 4 along one axis, whose edges are repeated.
  /// - Parameters:
  ///   - length: of the axis.
  ///   - step: elements from one place on the axis to the next.
  private static func blur(
    _ source: [Float], into target: inout [Float], length: Int, step: Int, distance: Int
  ) {
    let lines = source.count / (length * step)
    source.withUnsafeBufferPointer { source in
      target.withUnsafeMutableBufferPointer { target in
        for line in 0..<lines {
          let start = line * length * step
          for place in 0..<length {
            let here = start + place * step
            let before = start + max(place - distance, 0) * step
            let after = start + min(place + distance, length - 1) * step
            for element in 0..<step {
              target[here + element] =
                0.25 * (source[before + element] + source[after + element])
                + 0.5 * source[here + element]
            }
          }
        }
      }
    }
  }
}
