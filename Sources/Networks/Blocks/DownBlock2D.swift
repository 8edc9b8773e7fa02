import Kernels
import ModelFiles
import TensorCore

/// One resolution on the way down: CrossAttnDownBlock2D, or DownBlock2D where it has no attention.
struct DownBlock2D {
  let resnets: [ResnetBlock2D]
  let attentions: [Transformer2DModel]
  let downsampler: Downsample2D?

  init(_ scope: WeightScope, _ config: UNetTrunkConfig, level: Int) throws(ModelError) {
    let outChannels = config.blockOutChannels[level]
    var inChannels = level == 0 ? outChannels : config.blockOutChannels[level - 1]
    var resnets: [ResnetBlock2D] = []
    var attentions: [Transformer2DModel] = []
    for layer in 0..<config.layersPerBlock[level] {
      resnets.append(
        try ResnetBlock2D(
          scope["resnets", layer], inChannels, outChannels,
          timeChannels: TimestepEmbedding.width(config), groupCount: config.resnetGroupCount,
          epsilon: config.normEpsilon))
      if config.downBlockTypes[level].hasAttention {
        attentions.append(
          try Transformer2DModel(
            scope["attentions", layer], outChannels,
            contextChannels: config.crossAttentionDimensions[level],
            headCount: config.headCounts[level],
            layerCount: config.transformerLayersPerBlock[level], groupCount: config.normGroupCount))
      }
      inChannels = outChannels
    }
    self.resnets = resnets
    self.attentions = attentions
    downsampler =
      level == config.blockOutChannels.count - 1
      ? nil
      : try Downsample2D(
        scope["downsamplers.0"], outChannels, padding: config.downsamplePadding)
  }

  /// - Parameters:
  ///   - x: [H, W, inChannels]
  ///   - skips: takes what the way up will read.
  /// - Returns: [⌈H/2⌉, ⌈W/2⌉, outChannels]; the last block keeps the size.
  func callAsFunction(
    _ x: Value, _ conditioning: Conditioning, skips: inout [Value], in graph: Graph
  ) -> Value {
    var h = x
    for (layer, resnet) in resnets.enumerated() {
      h = resnet(h, time: conditioning.time, in: graph)
      if !attentions.isEmpty { h = attentions[layer](h, conditioning, in: graph) }
      skips.append(h)
    }
    if let downsampler {
      h = downsampler(h, in: graph)
      skips.append(h)
    }
    return h
  }
}
