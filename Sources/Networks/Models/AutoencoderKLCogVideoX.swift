import Kernels
import ModelFiles
import TensorCore

/// CogVideoX's autoencoder: a clip of 4k + 1 frames to a latent of k + 1, an eighth as high and
/// wide. Of its posterior only the mean is computed.
///
/// A clip goes through it in chunks (``CausalPast``), whose group norms see one chunk at a time:
/// the result depends on how it is cut.
///
/// Reference: Yang et al. 2025, section 2.1; names as in diffusers.
public struct AutoencoderKLCogVideoX {
  public let config: AutoencoderKLCogVideoXConfig
  let encoder: CogVideoXEncoder3D
  let decoder: CogVideoXDecoder3D

  /// - Throws: `ModelError` where configuration and weights do not belong together.
  public init(_ folder: ModelFolder) throws(ModelError) {
    let scope = try folder.weights(of: .vae)
    config = try folder.videoAutoencoderConfig()
    encoder = try CogVideoXEncoder3D(scope["encoder"], config)
    decoder = try CogVideoXDecoder3D(scope["decoder"], config)
    try scope.finish()
  }

  /// - Parameter chunk: [T, H, W, 3], RGB in [-1, 1].
  /// - Returns: the posterior's mean times the scaling factor, [t, H / factor, W / factor,
  ///   latentChannels].
  func encode(_ chunk: Value, _ past: CausalPast, in graph: Graph) -> Value {
    graph.affine(encoder(chunk, past, in: graph), scale: config.scalingFactor)
  }

  /// - Parameter latent: as ``encode(_:_:in:)`` gives it.
  /// - Returns: [T, H, W, 3], RGB in about [-1, 1]: of an odd number of latent frames 4t - 3, of an
  ///   even one 4t.
  func decode(_ latent: Value, _ past: CausalPast, in graph: Graph) -> Value {
    decoder(graph.affine(latent, scale: 1 / config.scalingFactor), past, in: graph)
  }
}

struct CogVideoXEncoder3D {
  private struct Level {
    let resnets: [CogVideoXResnetBlock3D]
    /// Halves height and width, behind a halving of the frames where `halvesTime`.
    let downsampler: Conv2d?
    let halvesTime: Bool
  }

  let convIn, convOut: CausalConv3d
  private let levels: [Level]
  private let middle: [CogVideoXResnetBlock3D]
  let normOut: GroupNorm

  init(_ scope: WeightScope, _ config: AutoencoderKLCogVideoXConfig) throws(ModelError) {
    let widths = config.blockOutChannels
    let last = widths[widths.count - 1]
    convIn = try CausalConv3d(scope["conv_in"], 3, widths[0])
    var levels: [Level] = []
    for (index, width) in widths.enumerated() {
      let block = scope["down_blocks", index]
      levels.append(
        Level(
          resnets: try CogVideoXResnetBlock3D.row(
            block, count: config.layersPerBlock, widths[max(index - 1, 0)], width,
            isSpatial: false, config),
          downsampler: index + 1 == widths.count
            ? nil
            : try Conv2d(
              block["downsamplers.0.conv"], width, width, stride: 2,
              padding: Padding(top: 0, left: 0, bottom: 1, right: 1)),
          halvesTime: index < config.temporalLevelCount))
    }
    self.levels = levels
    middle = try CogVideoXResnetBlock3D.row(
      scope["mid_block"], count: 2, last, last, isSpatial: false, config)
    normOut = try GroupNorm(
      scope["norm_out"], last, groupCount: config.normGroupCount, epsilon: autoencoderEpsilon)
    // Mean and log-variance come as the two halves of the channels.
    convOut = try CausalConv3d(
      scope["conv_out"], last, 2 * config.latentChannels, keepingOutputs: config.latentChannels)
  }

  func callAsFunction(_ x: Value, _ past: CausalPast, in graph: Graph) -> Value {
    var h = convIn(x, past, in: graph)
    for level in levels {
      for resnet in level.resnets { h = resnet(h, latent: nil, past, in: graph) }
      if let downsampler = level.downsampler {
        h = downsampler(level.halvesTime ? graph.pairMeans(h) : h, in: graph)
      }
    }
    for resnet in middle { h = resnet(h, latent: nil, past, in: graph) }
    return convOut(normOut(h, activation: .silu, in: graph), past, in: graph)
  }
}

struct CogVideoXDecoder3D {
  private struct Level {
    let resnets: [CogVideoXResnetBlock3D]
    /// Behind a doubling of height and width, and of the frames where `doublesTime`.
    let upsampler: Conv2d?
    let doublesTime: Bool
  }

  let convIn, convOut: CausalConv3d
  private let middle: [CogVideoXResnetBlock3D]
  private let levels: [Level]
  let normOut: SpatialNorm3D

  init(_ scope: WeightScope, _ config: AutoencoderKLCogVideoXConfig) throws(ModelError) {
    let widths = Array(config.blockOutChannels.reversed())
    convIn = try CausalConv3d(scope["conv_in"], config.latentChannels, widths[0])
    middle = try CogVideoXResnetBlock3D.row(
      scope["mid_block"], count: 2, widths[0], widths[0], isSpatial: true, config)
    var levels: [Level] = []
    for (index, width) in widths.enumerated() {
      let block = scope["up_blocks", index]
      levels.append(
        Level(
          resnets: try CogVideoXResnetBlock3D.row(
            block, count: config.layersPerBlock + 1, widths[max(index - 1, 0)], width,
            isSpatial: true, config),
          upsampler: index + 1 == widths.count
            ? nil : try Conv2d(block["upsamplers.0.conv"], width, width),
          doublesTime: index < config.temporalLevelCount))
    }
    self.levels = levels
    normOut = try SpatialNorm3D(scope["norm_out"], widths[widths.count - 1], config)
    convOut = try CausalConv3d(scope["conv_out"], widths[widths.count - 1], 3)
  }

  func callAsFunction(_ latent: Value, _ past: CausalPast, in graph: Graph) -> Value {
    var h = convIn(latent, past, in: graph)
    for resnet in middle { h = resnet(h, latent: latent, past, in: graph) }
    for level in levels {
      for resnet in level.resnets { h = resnet(h, latent: latent, past, in: graph) }
      guard let upsampler = level.upsampler else { continue }
      let frames = h.shape[0]
      // Of an odd number the first stays alone; so does an only one.
      let doubled = frames % 2 == 1 ? 2 * frames - 1 : 2 * frames
      h = graph.upsampling(
        h, frames: level.doublesTime ? doubled : frames, height: 2 * h.shape[1],
        width: 2 * h.shape[2])
      h = upsampler(h, in: graph)
    }
    return convOut(
      normOut(h, latent: latent, activation: .silu, in: graph), past, in: graph)
  }
}
