import Kernels
import ModelFiles
import TensorCore

/// Two convolutions beside a shortcut: (shortcut(x) + conv(silu(norm(conv(silu(norm(x))) + time)))) / scale.
struct ResnetBlock2D {
  let norm1, norm2: GroupNorm
  let conv1, conv2: Conv2d
  let timeProjection: Linear?
  let shortcut: Conv2d?
  let outputScaleFactor: Float

  /// - Parameter timeChannels: width of the time's embedding; nil in autoencoders, which know no time.
  init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, timeChannels: Int?,
    groupCount: Int, epsilon: Float, outputScaleFactor: Float = 1
  ) throws(ModelError) {
    norm1 = try GroupNorm(
      scope["norm1"], inChannels, groupCount: groupCount, epsilon: epsilon)
    conv1 = try Conv2d(scope["conv1"], inChannels, outChannels)
    if let timeChannels {
      timeProjection = try Linear(scope["time_emb_proj"], timeChannels, outChannels)
    } else {
      timeProjection = nil
    }
    norm2 = try GroupNorm(
      scope["norm2"], outChannels, groupCount: groupCount, epsilon: epsilon)
    conv2 = try Conv2d(scope["conv2"], outChannels, outChannels)
    shortcut =
      inChannels == outChannels
      ? nil : try Conv2d(scope["conv_shortcut"], inChannels, outChannels, kernel: 1)
    self.outputScaleFactor = outputScaleFactor
  }

  /// - Parameters:
  ///   - x: [H, W, inChannels]
  ///   - time: silu(time embedding), [timeChannels]
  /// - Returns: [H, W, outChannels]
  func callAsFunction(_ x: Value, time: Value? = nil, in graph: Graph) -> Value {
    var stepBias: Value?
    if let timeProjection, let time { stepBias = timeProjection(time, in: graph) }
    var h = norm1(x, activation: .silu, in: graph)
    h = conv1(h, stepBias: stepBias, in: graph)
    h = norm2(h, activation: .silu, in: graph)
    h = conv2(h, adding: shortcut.map { $0(x, in: graph) } ?? x, in: graph)
    return outputScaleFactor == 1 ? h : graph.affine(h, scale: 1 / outputScaleFactor)
  }
}
