import Diffusion
import TensorCore

/// What sampling starts from without inversion: standard normals for the latent of the whole
/// picture, of which each tile has its part, so that tiles agree where they overlap.
struct StartNoise {
  private let tiling: Tiling
  /// Of a tile's latent, and how many pixels of a picture, each way, are one of it.
  private let shape: Shape
  private let factor: Int
  /// Of the picture's latent, [height, width, C].
  private let height, width: Int
  private var latent: [Float]

  /// - Parameter shape: of a tile's latent.
  init(_ tiling: Tiling, shape: Shape) {
    self.tiling = tiling
    self.shape = shape
    factor = tiling.height / shape[0]
    height = tiling.canvas.paddedHeight / factor
    width = tiling.canvas.paddedWidth / factor
    latent = Array(repeating: 0, count: height * width * shape.channels)
  }

  /// Draws a frame's, channel by channel, as the networks' papers order a latent.
  /// - Parameter seed: the stream's seed + the frame's number.
  mutating func draw(seed: UInt64) {
    var noise = GaussianNoise(seed: seed)
    for channel in 0..<shape.channels {
      for pixel in 0..<height * width { latent[pixel * shape.channels + channel] = noise.next() }
    }
  }

  /// - Parameter part: takes a tile's; as many values as its latent has.
  func cut(_ tile: Int, into part: inout [Float]) {
    let origin = tiling.origin(of: tile)
    let rowCount = shape[1] * shape.channels
    for y in 0..<shape[0] {
      let start = ((origin.y / factor + y) * width + origin.x / factor) * shape.channels
      part.replaceSubrange(
        y * rowCount..<(y + 1) * rowCount, with: latent[start..<start + rowCount])
    }
  }
}
