import Kernels
import ModelFiles
import TensorCore

/// One of the layers that a UNet's blocks have on the way down and up: a residual block, and
/// attention where the block has some.
struct UNetBlockLayer {
  let resnet: ResnetBlock2D
  let attention: Transformer2DModel?

  /// - Parameters:
  ///   - block: of which this is layer `index`.
  ///   - inChannels: skips included.
  ///   - level: of the resolution, 0 for the finest, which tells the width of the result.
  init(
    _ block: WeightScope, _ index: Int, _ inChannels: Int, _ config: UNetTrunkConfig, level: Int,
    hasAttention: Bool
  ) throws(ModelError) {
    resnet = try ResnetBlock2D(
      block["resnets", index], inChannels, config.blockOutChannels[level], config)
    attention =
      hasAttention
      ? try Transformer2DModel(block["attentions", index], config, level: level) : nil
  }

  /// - Parameter x: [H, W, inChannels]
  /// - Returns: [H, W, blockOutChannels[level]]
  func callAsFunction(_ x: Value, _ conditioning: Conditioning, in graph: Graph) -> Value {
    let h = resnet(x, time: conditioning.time, in: graph)
    return attention.map { $0(h, conditioning, in: graph) } ?? h
  }
}
