import Kernels
import ModelFiles
import TensorCore

/// AutoencoderKL's way from picture to latent.
struct AutoencoderKLEncoder {
  let convIn: Conv2d
  let downBlocks: [DownEncoderBlock2D]
  let midBlock: AutoencoderMidBlock2D
  let convNormOut: GroupNorm
  let convOut: Conv2d

  /// - Parameter keeping: how many of the output's channels, mean before log-variance, are
  ///   computed.
  init(
    _ scope: WeightScope, _ config: AutoencoderKLConfig, keeping: Int
  ) throws(ModelError) {
    let widths = config.blockOutChannels
    convIn = try Conv2d(scope["conv_in"], config.inChannels, widths[0])
    var downBlocks: [DownEncoderBlock2D] = []
    for level in widths.indices {
      downBlocks.append(try DownEncoderBlock2D(scope["down_blocks", level], config, level: level))
    }
    self.downBlocks = downBlocks
    midBlock = try AutoencoderMidBlock2D(scope["mid_block"], config)
    convNormOut = try GroupNorm(
      scope["conv_norm_out"], widths.last!, groupCount: config.normGroupCount,
      epsilon: autoencoderEpsilon)
    convOut = try Conv2d(scope["conv_out"], widths.last!, 2 * config.latentChannels)
      .keepingOutputs(keeping)
  }

  /// - Parameter picture: [H, W, inChannels]
  /// - Returns: [H / factor, W / factor, keeping]
  func callAsFunction(_ picture: Value, in graph: Graph) -> Value {
    var h = convIn(picture, in: graph)
    for block in downBlocks { h = block(h, in: graph) }
    h = midBlock(h, in: graph)
    return convOut(convNormOut(h, activation: .silu, in: graph), in: graph)
  }
}

/// One resolution of the encoder.
struct DownEncoderBlock2D {
  let resnets: [ResnetBlock2D]
  let downsampler: Downsample2D?

  init(_ scope: WeightScope, _ config: AutoencoderKLConfig, level: Int) throws(ModelError) {
    let widths = config.blockOutChannels
    var inChannels = widths[max(level - 1, 0)]
    var resnets: [ResnetBlock2D] = []
    for layer in 0..<config.layersPerBlock {
      resnets.append(
        try ResnetBlock2D(scope["resnets", layer], inChannels, widths[level], config))
      inChannels = widths[level]
    }
    self.resnets = resnets
    downsampler =
      level == widths.count - 1
      ? nil : try Downsample2D(scope["downsamplers.0"], widths[level], padding: 0)
  }

  func callAsFunction(_ x: Value, in graph: Graph) -> Value {
    var h = x
    for resnet in resnets { h = resnet(h, in: graph) }
    return downsampler.map { $0(h, in: graph) } ?? h
  }
}
