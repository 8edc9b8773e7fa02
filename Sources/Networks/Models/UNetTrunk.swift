import Kernels
import ModelFiles
import TensorCore

/// What UNet2DConditionModel and ControlNetModel have in common: time embedding, the way down and
/// the middle.
struct UNetTrunk {
  let convIn: Conv2d
  let timeEmbedding: TimestepEmbedding
  let downBlocks: [DownBlock2D]
  let midBlock: UNetMidBlock2D?
  /// Width of the text features.
  let contextChannels: Int

  init(_ scope: WeightScope, _ config: UNetTrunkConfig, convInKernel: Int) throws(ModelError) {
    contextChannels = config.crossAttentionDimensions[0]
    convIn = try Conv2d(
      scope["conv_in"], (2 * config.windowInput + 1) * config.inChannels,
      config.blockOutChannels[0], kernel: convInKernel)
    timeEmbedding = try TimestepEmbedding(scope["time_embedding"], config)
    var downBlocks: [DownBlock2D] = []
    for level in config.blockOutChannels.indices {
      downBlocks.append(try DownBlock2D(scope["down_blocks", level], config, level: level))
    }
    self.downBlocks = downBlocks
    midBlock =
      config.midBlockType == .none
      ? nil
      : try UNetMidBlock2D(
        scope["mid_block"], config, withAttention: config.midBlockType == .unetMidBlock2DCrossAttn)
  }

  /// What the first convolution reads.
  /// - Parameter latent: a frame's, [H, W, inChannels].
  /// - Returns: [H, W, (2 · windowInput + 1) · inChannels]
  static func window(_ latent: Value, _ config: UNetTrunkConfig, in graph: Graph) -> Value {
    config.windowInput == 0 ? latent : graph.windowStack(latent, radius: config.windowInput)
  }

  func conditioning(
    timestep: Value, context: Value, readsWindow: Bool, in graph: Graph
  ) -> Conditioning {
    Conditioning(
      time: timeEmbedding(timestep, in: graph), context: context, readsWindow: readsWindow)
  }

  /// - Parameters:
  ///   - latent: the window's latents, [H, W, (2 · windowInput + 1) · inChannels].
  ///   - condition: [H, W, blockOutChannels[0]], added behind the first convolution.
  /// - Returns: the middle's output, and what the way up reads: the first convolution's output,
  ///   then the blocks'.
  func callAsFunction(
    _ latent: Value, adding condition: Value? = nil, _ conditioning: Conditioning, in graph: Graph
  ) -> (middle: Value, skips: [Value]) {
    var h = convIn(latent, adding: condition, in: graph)
    var skips = [h]
    for block in downBlocks { h = block(h, conditioning, skips: &skips, in: graph) }
    return (midBlock.map { $0(h, conditioning, in: graph) } ?? h, skips)
  }
}
