import Kernels
import ModelFiles
import TensorCore

/// One resolution on the way down: CrossAttnDownBlock2D, or DownBlock2D where it has no attention.
struct DownBlock2D {
  let layers: [UNetBlockLayer]
  let downsampler: Downsample2D?

  init(_ scope: WeightScope, _ config: UNetTrunkConfig, level: Int) throws(ModelError) {
    let outChannels = config.blockOutChannels[level]
    var inChannels = level == 0 ? outChannels : config.blockOutChannels[level - 1]
    var layers: [UNetBlockLayer] = []
    for index in 0..<config.layersPerBlock[level] {
      layers.append(
        try UNetBlockLayer(
          scope, index, inChannels, config, level: level,
          hasAttention: config.downBlockTypes[level].hasAttention))
      inChannels = outChannels
    }
    self.layers = layers
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
    for layer in layers {
      h = layer(h, conditioning, in: graph)
      skips.append(h)
    }
    if let downsampler {
      h = downsampler(h, in: graph)
      skips.append(h)
    }
    return h
  }
}
