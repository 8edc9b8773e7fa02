import Diffusion
import TensorCore

/// What sampling starts from without inversion.
enum StartNoise {
  /// Standard normals for one frame's latent [H, W, C], drawn channel by channel, as the networks' papers order a latent.
  /// - Parameter seed: the stream's seed + the frame's number.
  static func latent(seed: UInt64, shape: Shape) -> [Float] {
    var noise = GaussianNoise(seed: seed)
    let pixels = shape.rows
    let channels = shape.channels
    var latent = [Float](repeating: 0, count: shape.count)
    for channel in 0..<channels {
      for pixel in 0..<pixels { latent[pixel * channels + channel] = noise.next() }
    }
    return latent
  }
}
