import Kernels
import ModelFiles
import TensorCore

/// One resolution on the way up: CrossAttnUpBlock2D, or UpBlock2D where it has no attention.
struct UpBlock2D {
  let layers: [UNetBlockLayer]
  let upsampler: Upsample2D?

  /// - Parameter index: 0 for the coarsest.
  init(_ scope: WeightScope, _ config: UNetConfig, index: Int) throws(ModelError) {
    let widths = config.trunk.blockOutChannels
    let level = widths.count - 1 - index
    let outChannels = widths[level]
    let layerCount = config.trunk.layersPerBlock[level] + 1
    var inChannels = index == 0 ? outChannels : widths[level + 1]
    var layers: [UNetBlockLayer] = []
    for layer in 0..<layerCount {
      // The last skip of a resolution is what the finer one handed down.
      let skipChannels = layer == layerCount - 1 ? widths[max(level - 1, 0)] : outChannels
      layers.append(
        try UNetBlockLayer(
          scope, layer, inChannels + skipChannels, config.trunk, level: level,
          hasAttention: config.upBlockTypes[index].hasAttention))
      inChannels = outChannels
    }
    self.layers = layers
    upsampler = level == 0 ? nil : try Upsample2D(scope["upsamplers.0"], outChannels)
  }

  /// - Parameters:
  ///   - x: [H, W, inChannels]
  ///   - skips: gives up its last, one for each residual block.
  /// - Returns: the size of the next skip, outChannels.
  func callAsFunction(
    _ x: Value, _ conditioning: Conditioning, skips: inout [Skip], in graph: Graph
  ) -> Value {
    var h = x
    for layer in layers {
      h = layer(skips.removeLast().concatenated(to: h, in: graph), conditioning, in: graph)
    }
    return upsampler.map { $0(h, likeSizeOf: skips.last!.value, in: graph) } ?? h
  }
}

/// What the way down left for the way up, and what a ControlNet adds to it.
struct Skip {
  let value: Value
  let residual: Value?
  /// What the residual is multiplied by; 1 where there is none.
  let scale: Parameter?

  func concatenated(to h: Value, in graph: Graph) -> Value {
    graph.concatenation(h, value, adding: residual, scale: scale)
  }
}
