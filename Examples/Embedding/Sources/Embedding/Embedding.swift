import Kernels
import ModelFiles
import Restoration

/// Restores frames inside a Swift program: a lamp that moves over a wall, with noise, and how far
/// each frame was and is from the picture without noise.
///
///     swift run -c release --package-path Examples/Embedding
@main
struct Embedding {
  static let width = 96
  static let height = 64

  static func main() throws {
    let model = try ModelFolder.embedded()
    // The task decides, too, whether frames are averaged along the motion: rain would only be
    // smeared by that.
    let options = try Preset.balanced.options(for: model, task: .denoise)
    let device = try CPUDevice(precision: CPUDevice.favoursBF16 ? .bf16 : .f32)
    let restorer = try options.makeRestorer(
      model: model, width: width, height: height, device: device)

    var generator = SystemRandomNumberGenerator()
    var clean: [[Float]] = []
    var noisy: [[Float]] = []
    var restored = 0

    /// Frames come out in order, some time after they went in.
    func show(_ frame: [Float]) {
      let before = deviation(noisy[restored], clean[restored])
      let after = deviation(frame, clean[restored])
      print("frame \(restored): off by \(before) before, \(after) after")
      restored += 1
    }

    for number in 0..<8 {
      clean.append(picture(number))
      noisy.append(clean[number].map { min(max($0 + noise(&generator), 0), 255) })
      try restorer.push(noisy[number], emit: show)
    }
    try restorer.finish(emit: show)
  }

  /// [height, width, 3], 0...255.
  static func picture(_ number: Int) -> [Float] {
    var rgb: [Float] = []
    for y in 0..<height {
      for x in 0..<width {
        let (dx, dy) = (Float(x - 20 - 6 * number), Float(y - 30))
        let light = 40 + 180 / (1 + (dx * dx + dy * dy) / 300)
        rgb += [light, light * 0.9, light * 0.7]
      }
    }
    return rgb
  }

  /// About normal, with a deviation of 25: twelve uniform numbers have a variance of 1.
  static func noise(_ generator: inout some RandomNumberGenerator) -> Float {
    25 * (0..<12).reduce(Float(0)) { sum, _ in sum + .random(in: -0.5...0.5, using: &generator) }
  }

  /// Root of the mean square, in code values.
  static func deviation(_ a: [Float], _ b: [Float]) -> Float {
    let squares = zip(a, b).reduce(Float(0)) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return ((squares / Float(a.count)).squareRoot() * 10).rounded() / 10
  }
}
