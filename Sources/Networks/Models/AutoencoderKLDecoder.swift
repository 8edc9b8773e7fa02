import Kernels
import ModelFiles
import TensorCore

/// AutoencoderKL's way from latent to picture.
struct AutoencoderKLDecoder {
  let convIn: Conv2d
  let midBlock: AutoencoderMidBlock2D
  let upBlocks: [UpDecoderBlock2D]
  let convNormOut: GroupNorm
  let convOut: Conv2d

  init(_ scope: WeightScope, _ config: AutoencoderKLConfig) throws(ModelError) {
    let widths = config.blockOutChannels
    convIn = try Conv2d(scope["conv_in"], config.latentChannels, widths.last!)
    midBlock = try AutoencoderMidBlock2D(scope["mid_block"], config)
    var upBlocks: [UpDecoderBlock2D] = []
    for index in widths.indices {
      upBlocks.append(try UpDecoderBlock2D(scope["up_blocks", index], config, index: index))
    }
    self.upBlocks = upBlocks
    convNormOut = try GroupNorm(
      scope["conv_norm_out"], widths[0], groupCount: config.normGroupCount,
      epsilon: autoencoderEpsilon)
    convOut = try Conv2d(scope["conv_out"], widths[0], config.outChannels)
  }

  /// - Parameter latent: [h, w, latentChannels]
  /// - Returns: [h · factor, w · factor, outChannels]
  func callAsFunction(_ latent: Value, in graph: Graph) -> Value {
    var h = midBlock(convIn(latent, in: graph), in: graph)
    for block in upBlocks { h = block(h, in: graph) }
    return convOut(convNormOut(h, activation: .silu, in: graph), in: graph)
  }
}

/// One resolution of the decoder.
struct UpDecoderBlock2D {
  let resnets: [ResnetBlock2D]
  let upsampler: Upsample2D?

  /// - Parameter index: 0 for the coarsest.
  init(_ scope: WeightScope, _ config: AutoencoderKLConfig, index: Int) throws(ModelError) {
    let widths = Array(config.blockOutChannels.reversed())
    var inChannels = widths[max(index - 1, 0)]
    var resnets: [ResnetBlock2D] = []
    for layer in 0...config.layersPerBlock {
      resnets.append(
        try ResnetBlock2D(scope["resnets", layer], inChannels, widths[index], config))
      inChannels = widths[index]
    }
    self.resnets = resnets
    upsampler =
      index == widths.count - 1 ? nil : try Upsample2D(scope["upsamplers.0"], widths[index])
  }

  func callAsFunction(_ x: Value, in graph: Graph) -> Value {
    var h = x
    for resnet in resnets { h = resnet(h, in: graph) }
    return upsampler.map { $0(h, in: graph) } ?? h
  }
}
