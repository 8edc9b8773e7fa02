import Foundation

@testable import Diffusion
@testable import Restoration

/// A made-up scene: waves of random lengths and directions, brighter and darker, that a camera can
/// be moved over.
struct Scene {
  private let waves: [(x: Float, y: Float, phase: Float, height: Float)]
  private let brightness: Float

  init(seed: UInt64) {
    var generator = SplitMix64(state: seed)
    func uniform(_ range: ClosedRange<Double>) -> Float {
      Float(range.lowerBound + (range.upperBound - range.lowerBound) * generator.nextUniform())
    }
    brightness = uniform(80...170)
    waves = (0..<12).map { _ in
      (
        x: uniform(-0.15...0.15), y: uniform(-0.15...0.15), phase: uniform(0...6),
        height: uniform(4...18)
      )
    }
  }

  /// [height, width, 3], 0...255.
  /// - Parameters:
  ///   - distance: pixels that the camera has moved to the right.
  ///   - gain, offset: of all values, before they are cut to 0...255.
  ///   - noise: standard deviation of what is added to each value.
  func frame(
    _ canvas: Canvas, movedBy distance: Float = 0, gain: Float = 1, offset: Float = 0,
    noise: Float = 0, noiseSeed: UInt64 = 0
  ) -> [Float] {
    var generator = GaussianNoise(seed: noiseSeed)
    return (0..<canvas.height * canvas.width).flatMap { pixel in
      let x = Float(pixel % canvas.width) + distance
      let y = Float(pixel / canvas.width)
      let luma = waves.reduce(brightness) {
        $0 + $1.height * sinf($1.x * x + $1.y * y + $1.phase)
      }
      return [0.9, 1, 1.1].map { (tint: Float) in
        let value = gain * tint * luma + offset + (noise > 0 ? noise * generator.next() : 0)
        return min(max(value, 0), 255)
      }
    }
  }
}
