import CKernels
import Foundation

/// Waves, [height, width, 3], 0...255, seen `dx` pixels to the left of and `dy` above where the
/// camera was.
func waves(
  _ width: Int, _ height: Int, seed: UInt64 = 1, dx: Float = 0, dy: Float = 0, noise: Float = 0,
  noiseSeed: UInt64 = 0
) -> [Float] {
  var numbers = Noise(seed)
  let waves = (0..<14).map { _ in
    (
      x: 0.18 * numbers.normal(), y: 0.18 * numbers.normal(), phase: 3 * numbers.normal(),
      height: 9 + numbers.normal()
    )
  }
  var grain = Noise(noiseSeed + 100)
  return (0..<height * width).flatMap { pixel in
    let x = Float(pixel % width) + dx
    let y = Float(pixel / width) + dy
    let light = waves.reduce(128) { $0 + $1.height * sinf($1.x * x + $1.y * y + $1.phase) }
    return [0.9, 1, 1.1].map { (tint: Float) in tint * light + noise * grain.normal() }
  }
}

func deviation(_ a: [Float], _ b: [Float]) -> Float {
  (zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Float(a.count)).squareRoot()
}

func noiseLevels(_ picture: [Float], _ width: Int, _ height: Int) -> [Float] {
  var levels: [Float] = [-1, -1, -1]
  tdm_noise_levels(&levels, picture, width, height)
  return levels
}

/// Noise as 4:2:0 video has it: one in the light, two in colours of half the size.
func withVideoNoise(
  _ picture: [Float], _ width: Int, light: Float, colour: Float, seed: UInt64
) -> [Float] {
  var grain = Noise(seed)
  let halved = (0..<picture.count / 3).map { _ in
    (blue: colour * grain.normal(), red: colour * grain.normal())
  }
  return (0..<picture.count / 3).flatMap { pixel in
    let y = light * grain.normal()
    let c = halved[pixel / width / 2 * width + pixel % width / 2]
    return [
      picture[3 * pixel] + y + 1.402 * c.red,
      picture[3 * pixel + 1] + y - 0.344 * c.blue - 0.714 * c.red,
      picture[3 * pixel + 2] + y + 1.772 * c.blue,
    ]
  }
}
