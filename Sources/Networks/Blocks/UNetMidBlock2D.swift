import Kernels
import ModelFiles
import TensorCore

/// The coarsest resolution of a UNet: two residual blocks with attention between them
/// (UNetMidBlock2DCrossAttn), or a single one (UNetMidBlock2D, which diffusers builds without
/// further layers there).
struct UNetMidBlock2D {
  let first: ResnetBlock2D
  let attention: Transformer2DModel?
  let last: ResnetBlock2D?

  init(
    _ scope: WeightScope, _ config: UNetTrunkConfig, withAttention: Bool
  ) throws(ModelError) {
    let level = config.blockOutChannels.count - 1
    let channels = config.blockOutChannels[level]
    func resnet(_ index: Int) throws(ModelError) -> ResnetBlock2D {
      try ResnetBlock2D(
        scope["resnets", index], channels, channels, config,
        outputScaleFactor: config.midBlockScaleFactor)
    }
    first = try resnet(0)
    attention =
      withAttention ? try Transformer2DModel(scope["attentions.0"], config, level: level) : nil
    last = withAttention ? try resnet(1) : nil
  }

  /// - Parameter x: [H, W, channels]
  /// - Returns: shaped as `x`.
  func callAsFunction(_ x: Value, _ conditioning: Conditioning, in graph: Graph) -> Value {
    var h = first(x, time: conditioning.time, in: graph)
    if let attention { h = attention(h, conditioning, in: graph) }
    if let last { h = last(h, time: conditioning.time, in: graph) }
    return h
  }
}
