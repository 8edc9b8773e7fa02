import Kernels
import ModelFiles
import TensorCore

/// Two causal convolutions beside a shortcut: shortcut(x) + conv(silu(norm(conv(silu(norm(x)))))).
struct CogVideoXResnetBlock3D {
  /// The encoder's norms know nothing of the latent, the decoder's read it.
  enum Norm {
    case plain(GroupNorm)
    case spatial(SpatialNorm3D)

    func callAsFunction(_ x: Value, latent: Value?, in graph: Graph) -> Value {
      switch self {
      case .plain(let norm): norm(x, activation: .silu, in: graph)
      case .spatial(let norm): norm(x, latent: latent!, activation: .silu, in: graph)
      }
    }
  }

  let norm1, norm2: Norm
  let conv1, conv2: CausalConv3d
  let shortcut: Linear?

  /// - Parameter isSpatial: whether the norms read the latent.
  init(
    _ scope: WeightScope, _ inChannels: Int, _ outChannels: Int, isSpatial: Bool,
    _ config: AutoencoderKLCogVideoXConfig
  ) throws(ModelError) {
    func norm(_ name: String, _ channels: Int) throws(ModelError) -> Norm {
      isSpatial
        ? .spatial(try SpatialNorm3D(scope[name], channels, config))
        : .plain(
          try GroupNorm(
            scope[name], channels, groupCount: config.normGroupCount, epsilon: config.normEpsilon))
    }
    norm1 = try norm("norm1", inChannels)
    conv1 = try CausalConv3d(scope["conv1"], inChannels, outChannels)
    norm2 = try norm("norm2", outChannels)
    conv2 = try CausalConv3d(scope["conv2"], outChannels, outChannels)
    shortcut =
      inChannels == outChannels
      ? nil : try Linear(scope["conv_shortcut"], inChannels, outChannels)
  }

  /// - Parameters:
  ///   - x: [T, H, W, inChannels]
  ///   - latent: that the norms read, [t, h, w, latentChannels]; nil where they do not.
  /// - Returns: [T, H, W, outChannels]
  func callAsFunction(
    _ x: Value, latent: Value?, _ past: CausalPast, in graph: Graph
  ) -> Value {
    let h = conv1(norm1(x, latent: latent, in: graph), past, in: graph)
    return conv2(
      norm2(h, latent: latent, in: graph), adding: shortcut.map { $0(x, in: graph) } ?? x, past,
      in: graph)
  }
}

extension CogVideoXResnetBlock3D {
  /// Several, one behind the other.
  static func row(
    _ scope: WeightScope, count: Int, _ inChannels: Int, _ outChannels: Int, isSpatial: Bool,
    _ config: AutoencoderKLCogVideoXConfig
  ) throws(ModelError) -> [CogVideoXResnetBlock3D] {
    var blocks: [CogVideoXResnetBlock3D] = []
    for index in 0..<count {
      blocks.append(
        try CogVideoXResnetBlock3D(
          scope["resnets", index], index == 0 ? inChannels : outChannels, outChannels,
          isSpatial: isSpatial, config))
    }
    return blocks
  }
}
