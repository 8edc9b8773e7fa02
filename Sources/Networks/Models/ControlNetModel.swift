import Kernels
import ModelFiles
import TensorCore

/// A copy of the UNet's way down that has also seen a condition, the degraded frame, and adds to
/// the UNet's skips.
///
/// Reference: Zhang et al. 2023 (arXiv 2302.05543); names as in diffusers.
public struct ControlNetModel {
  /// What is added to the UNet's skips, in the order of the way down, and to its middle.
  public struct Output {
    public let skips: [Value]
    public let middle: Value
  }

  public let config: ControlNetConfig
  /// What the degraded frame goes through, once a frame whatever the number of steps.
  public let conditioningEmbedding: ControlNetConditioningEmbedding
  let trunk: UNetTrunk
  let skipConvs: [Linear]
  let middleConv: Linear

  /// - Throws: `ModelError` where configuration and weights do not belong together.
  public init(_ folder: ModelFolder) throws(ModelError) {
    let scope = try folder.weights(of: .controlnet)
    try self.init(scope, folder.controlNetConfig())
    try scope.finish()
  }

  public init(_ scope: WeightScope, _ config: ControlNetConfig) throws(ModelError) {
    self.config = config
    conditioningEmbedding = try ControlNetConditioningEmbedding(
      scope["controlnet_cond_embedding"], config)
    trunk = try UNetTrunk(scope, config.trunk, convInKernel: 3)
    var widths = [config.trunk.blockOutChannels[0]]
    for (level, block) in trunk.downBlocks.enumerated() {
      let count = block.layers.count + (block.downsampler == nil ? 0 : 1)
      widths += Array(repeating: config.trunk.blockOutChannels[level], count: count)
    }
    var skipConvs: [Linear] = []
    for (index, channels) in widths.enumerated() {
      skipConvs.append(try Linear(scope["controlnet_down_blocks", index], channels, channels))
    }
    self.skipConvs = skipConvs
    let channels = config.trunk.blockOutChannels.last!
    middleConv = try Linear(scope["controlnet_mid_block"], channels, channels)
  }

  /// - Parameters:
  ///   - latent: the window's latents, [H, W, (2 · windowInput + 1) · inChannels].
  ///   - condition: the conditioning embedding's output, [H, W, blockOutChannels[0]].
  ///   - timestep: a step's scalar, 0..<trainStepCount of the noise schedule.
  ///   - context: text features, [tokenCount, crossAttentionDimension].
  ///   - readsWindow: whether attention among pixels reads a window of frames.
  public func callAsFunction(
    _ latent: Value, condition: Value, timestep: Value, context: Value, readsWindow: Bool,
    in graph: Graph
  ) -> Output {
    let conditioning = trunk.conditioning(
      timestep: timestep, context: context, readsWindow: readsWindow, in: graph)
    let (middle, skips) = trunk(latent, adding: condition, conditioning, in: graph)
    return Output(
      skips: zip(skipConvs, skips).map { conv, skip in conv(skip, in: graph) },
      middle: middleConv(middle, in: graph))
  }
}
