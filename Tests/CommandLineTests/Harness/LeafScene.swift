import Diffusion
import Foundation

/// A made-up scene with what photographs have: edges of all sizes, dark and bright, flat and
/// textured surfaces. A camera passes over it, a pixel a frame.
///
/// Discs that lie over one another ("dead leaves") have the statistics of natural pictures' edges.
struct LeafScene {
  let width: Int
  let height: Int

  private struct Leaf {
    let x, y, radius: Float
    let colour: SIMD3<Float>
    let wave: SIMD2<Float>
    let contrast: Float
  }

  /// The topmost first.
  private let leaves: [Leaf]

  init(width: Int, height: Int, seed: UInt64 = 1) {
    self.width = width
    self.height = height
    var generator = SplitMix64(state: seed)
    func uniform(_ range: ClosedRange<Float>) -> Float {
      Float.random(in: range, using: &generator)
    }
    leaves = (0..<240).map { _ in
      // Many are small, few are large.
      let radius = 3 / uniform(0.05...1).squareRoot() * 1.5
      let brightness = uniform(10...235)
      return Leaf(
        x: uniform(-20...Float(width) + 20), y: uniform(-20...Float(height) + 20), radius: radius,
        colour: SIMD3(uniform(0.7...1.1), uniform(0.7...1.1), uniform(0.7...1.1)) * brightness,
        wave: SIMD2(uniform(-0.8...0.8), uniform(-0.8...0.8)), contrast: uniform(0...14))
    }
  }

  /// [height, width, 3], 0...255. Edges are smooth, as a lens has them.
  func frame(_ number: Int) -> [Float] {
    var frame = [Float](repeating: 0, count: width * height * 3)
    for y in 0..<height {
      for x in 0..<width {
        let (u, v) = (Float(x + number), Float(y))
        var colour = SIMD3<Float>(60, 80, 100) + u * 0.3
        // From the lowest up.
        for leaf in leaves.reversed() {
          let distance = hypotf(u - leaf.x, v - leaf.y) - leaf.radius
          guard distance < 0.5 else { continue }
          let cover = min(0.5 - distance, 1)
          let texture = leaf.contrast * sinf(leaf.wave.x * u + leaf.wave.y * v)
          colour += cover * (leaf.colour + texture - colour)
        }
        for channel in 0..<3 {
          frame[(y * width + x) * 3 + channel] = min(max(colour[channel], 0), 255)
        }
      }
    }
    return frame
  }
}

/// Peak signal to noise ratio of values 0...255, in dB, over both clips as a whole.
func psnr(_ a: [[Float]], _ b: [[Float]]) -> Double {
  var sum = 0.0
  var count = 0
  for (a, b) in zip(a, b) {
    for (x, y) in zip(a, b) { sum += Double((x - y) * (x - y)) }
    count += a.count
  }
  return 10 * log10(255 * 255 * Double(count) / max(sum, 1e-9))
}
