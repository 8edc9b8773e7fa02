import Kernels
import ModelFiles
import TensorCore

/// Brings the degraded frame, or it and a second picture of it, to the latent's resolution and the
/// UNet's width.
public struct ControlNetConditioningEmbedding {
  let convIn: Conv2d
  let blocks: [Conv2d]
  let convOut: Conv2d
  /// A pixel of the result covers factor x factor pixels of the picture.
  public let factor: Int
  /// Whether it sees a second picture of each frame beside the one that the U-Net restores.
  public let seesSecondPicture: Bool

  init(_ scope: WeightScope, _ config: ControlNetConfig) throws(ModelError) {
    let widths = config.conditioningEmbeddingOutChannels
    let first = try Conv2d(scope["conv_in"], config.conditioningChannels, widths[0])
    convIn = config.conditioningChannelOrder == .bgr ? try first.reversingInputs() : first
    var blocks: [Conv2d] = []
    for (from, to) in zip(widths, widths.dropFirst()) {
      blocks.append(try Conv2d(scope["blocks", blocks.count], from, from))
      blocks.append(try Conv2d(scope["blocks", blocks.count], from, to, stride: 2))
    }
    self.blocks = blocks
    convOut = try Conv2d(scope["conv_out"], widths.last!, config.trunk.blockOutChannels[0])
    factor = 1 << (widths.count - 1)
    seesSecondPicture = config.seesSecondPicture
  }

  /// - Parameters:
  ///   - picture: the degraded frame, [H, W, 3], RGB in [-1, 1]. The convolutions see it in [0, 1].
  ///   - second: likewise, its second picture: where ``seesSecondPicture``, and nowhere else.
  /// - Returns: [H / factor, W / factor, blockOutChannels[0]]
  public func callAsFunction(_ picture: Value, second: Value? = nil, in graph: Graph) -> Value {
    precondition((second != nil) == seesSecondPicture)
    let seen = second.map { graph.concatenation(picture, $0) } ?? picture
    var h = graph.affine(seen, scale: 0.5, offset: 0.5)
    h = convIn(h, activation: .silu, in: graph)
    for block in blocks { h = block(h, activation: .silu, in: graph) }
    return convOut(h, in: graph)
  }
}
