import Kernels
import ModelFiles
import TensorCore

/// The network that predicts, from a noisy latent, its timestep and the text, what the sampler
/// needs: noise, velocity or the clean latent.
///
/// Reference: Rombach et al. 2022, section 3.3; names as in diffusers.
public struct UNet2DConditionModel {
  public let config: UNetConfig
  let trunk: UNetTrunk
  let upBlocks: [UpBlock2D]
  let convNormOut: GroupNorm?
  let convOut: Conv2d

  /// Width of the text features.
  public var contextChannels: Int { trunk.contextChannels }

  /// - Throws: `ModelError` where configuration and weights do not belong together.
  public init(_ folder: ModelFolder) throws(ModelError) {
    let scope = try folder.weights(of: .unet)
    try self.init(scope, folder.unetConfig())
    try scope.finish()
  }

  public init(_ scope: WeightScope, _ config: UNetConfig) throws(ModelError) {
    self.config = config
    trunk = try UNetTrunk(scope, config.trunk, convInKernel: config.convInKernel)
    var upBlocks: [UpBlock2D] = []
    for index in config.upBlockTypes.indices {
      upBlocks.append(try UpBlock2D(scope["up_blocks", index], config, index: index))
    }
    self.upBlocks = upBlocks
    let channels = config.trunk.blockOutChannels[0]
    convNormOut = try config.resnetGroupCount.map { groupCount throws(ModelError) in
      try GroupNorm(
        scope["conv_norm_out"], channels, groupCount: groupCount, epsilon: config.normEpsilon)
    }
    convOut = try Conv2d(
      scope["conv_out"], channels, config.outChannels, kernel: config.convOutKernel)
  }

  /// - Parameters:
  ///   - latent: the window's latents, [H, W, (2 · windowInput + 1) · inChannels].
  ///   - timestep: a step's scalar, 0..<trainStepCount of the noise schedule.
  ///   - context: text features, [tokenCount, contextChannels].
  ///   - control: a ControlNet's output.
  ///   - controlScale: what that is multiplied by.
  /// - Returns: [H, W, outChannels]
  public func callAsFunction(
    _ latent: Value, timestep: Value, context: Value,
    control: ControlNetModel.Output? = nil, controlScale: Parameter? = nil, in graph: Graph
  ) -> Value {
    let latent = config.centerInputSample ? graph.affine(latent, scale: 2, offset: -1) : latent
    let conditioning = trunk.conditioning(
      timestep: timestep, context: context, readsWindow: config.windowAttention, in: graph)
    let (middle, values) = trunk(latent, conditioning, in: graph)

    var h = middle
    if let control { h = graph.add(h, control.middle, scale: controlScale) }
    var skips = values.enumerated().map { index, value in
      Skip(value: value, residual: control?.skips[index], scale: controlScale)
    }
    for block in upBlocks { h = block(h, conditioning, skips: &skips, in: graph) }
    if let convNormOut { h = convNormOut(h, activation: .silu, in: graph) }
    return convOut(h, in: graph)
  }
}
