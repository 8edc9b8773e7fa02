import Kernels
import ModelFiles
import TensorCore

/// Two convolutions beside a shortcut: (shortcut(x) + conv(silu(norm(conv(silu(norm(x))) + time))))
/// / scale, with or without the norms.
struct ResnetBlock2D {
  let norm1, norm2: GroupNorm?
  let conv1, conv2: Conv2d
  let timeProjection: Linear?
  let shortcut: Conv2d?
  let outputScaleFactor: Float

  /// - Parameters:
  ///   - timeChannels: width of the time's embedding; nil where there is none.
  ///   - groupCount: of the norms; nil for none.
  private init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, timeChannels: Int?,
    groupCount: Int?, epsilon: Float, outputScaleFactor: Float = 1
  ) throws(ModelError) {
    func norm(_ name: String, _ channels: Int) throws(ModelError) -> GroupNorm? {
      guard let groupCount else { return nil }
      return try GroupNorm(scope[name], channels, groupCount: groupCount, epsilon: epsilon)
    }
    norm1 = try norm("norm1", inChannels)
    conv1 = try Conv2d(scope["conv1"], inChannels, outChannels)
    if let timeChannels {
      timeProjection = try Linear(scope["time_emb_proj"], timeChannels, outChannels)
    } else {
      timeProjection = nil
    }
    norm2 = try norm("norm2", outChannels)
    conv2 = try Conv2d(scope["conv2"], outChannels, outChannels)
    shortcut =
      inChannels == outChannels
      ? nil : try Conv2d(scope["conv_shortcut"], inChannels, outChannels, kernel: 1)
    self.outputScaleFactor = outputScaleFactor
  }

  /// One of a UNet's.
  init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, _ config: UNetTrunkConfig,
    outputScaleFactor: Float = 1
  ) throws(ModelError) {
    try self.init(
      scope, inChannels, outChannels, timeChannels: TimestepEmbedding.width(config),
      groupCount: config.resnetGroupCount, epsilon: config.normEpsilon,
      outputScaleFactor: outputScaleFactor)
  }

  /// One of AutoencoderKL's, which know no time.
  init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, _ config: AutoencoderKLConfig
  ) throws(ModelError) {
    try self.init(
      scope, inChannels, outChannels, timeChannels: nil, groupCount: config.normGroupCount,
      epsilon: autoencoderEpsilon)
  }

  /// - Parameters:
  ///   - x: [H, W, inChannels]
  ///   - time: silu(time embedding), [timeChannels]
  /// - Returns: [H, W, outChannels]
  func callAsFunction(_ x: Value, time: Value? = nil, in graph: Graph) -> Value {
    var stepBias: Value?
    if let timeProjection, let time { stepBias = timeProjection(time, in: graph) }
    var h = norm1.map { $0(x, activation: .silu, in: graph) } ?? graph.activation(.silu, x)
    h = conv1(h, stepBias: stepBias, activation: norm2 == nil ? .silu : .none, in: graph)
    if let norm2 { h = norm2(h, activation: .silu, in: graph) }
    h = conv2(h, adding: shortcut.map { $0(x, in: graph) } ?? x, in: graph)
    return outputScaleFactor == 1 ? h : graph.affine(h, scale: 1 / outputScaleFactor)
  }
}
