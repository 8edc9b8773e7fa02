import Diffusion
import TensorCore

/// What sampling starts from without inversion.
enum StartNoise {
  /// Standard normals for one frame's latent [H, W, C], drawn channel by channel, as the networks'
  /// papers order a latent.
  /// - Parameters:
  ///   - seed: the stream's seed + the frame's number.
  ///   - shape: of a tile's latent.
  /// - Returns: for each tile its part of the picture's noise, so that tiles agree where they
  ///   overlap.
  static func latents(seed: UInt64, shape: Shape, _ tiling: Tiling) -> [[Float]] {
    var noise = GaussianNoise(seed: seed)
    let factor = tiling.height / shape[0]
    let width = tiling.canvas.paddedWidth / factor
    let pixels = tiling.canvas.paddedHeight / factor * width
    let channels = shape.channels
    var picture = [Float](repeating: 0, count: pixels * channels)
    for channel in 0..<channels {
      for pixel in 0..<pixels { picture[pixel * channels + channel] = noise.next() }
    }
    return (0..<tiling.count).map { tile in
      let origin = tiling.origin(of: tile)
      return (0..<shape[0]).flatMap { y in
        let start = ((origin.y / factor + y) * width + origin.x / factor) * channels
        return picture[start..<start + shape[1] * channels]
      }
    }
  }
}
