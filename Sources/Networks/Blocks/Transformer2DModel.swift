import Kernels
import ModelFiles
import TensorCore

/// An image's pixels as tokens through a row of transformer blocks, beside a shortcut.
struct Transformer2DModel {
  let norm: GroupNorm
  let projIn, projOut: Linear
  let blocks: [BasicTransformerBlock]

  /// - Parameter level: of the resolution, 0 for the finest.
  init(_ scope: WeightScope, _ config: UNetTrunkConfig, level: Int) throws(ModelError) {
    let channels = config.blockOutChannels[level]
    // Not the configuration's norm_eps: diffusers' transformers keep their own.
    norm = try GroupNorm(
      scope["norm"], channels, groupCount: config.normGroupCount, epsilon: 1e-6)
    projIn = try Linear(scope["proj_in"], channels, channels)
    var blocks: [BasicTransformerBlock] = []
    for layer in 0..<config.transformerLayersPerBlock[level] {
      blocks.append(
        try BasicTransformerBlock(
          scope["transformer_blocks", layer], channels,
          contextChannels: config.crossAttentionDimensions[level],
          headCount: config.headCounts[level]))
    }
    self.blocks = blocks
    projOut = try Linear(scope["proj_out"], channels, channels)
  }

  /// - Parameters:
  ///   - x: [H, W, channels]
  ///   - conditioning: its text is [tokenCount, crossAttentionDimension].
  /// - Returns: shaped as `x`.
  func callAsFunction(_ x: Value, _ conditioning: Conditioning, in graph: Graph) -> Value {
    var h = projIn(norm(x, in: graph), in: graph)
    for block in blocks { h = block(h, conditioning, in: graph) }
    return projOut(h, adding: x, in: graph)
  }
}

/// Attention to the picture, attention to the text and a gated feed-forward layer.
struct BasicTransformerBlock {
  let norm1, norm2, norm3: LayerNorm
  let attn1, attn2: Attention
  let feedForwardIn, feedForwardOut: Linear

  init(
    _ scope: WeightScope, _ channels: Int, contextChannels: Int, headCount: Int
  ) throws(ModelError) {
    norm1 = try LayerNorm(scope["norm1"], channels)
    attn1 = try Attention(
      scope["attn1"], channels, keyChannels: channels, headCount: headCount, hasBias: false)
    norm2 = try LayerNorm(scope["norm2"], channels)
    attn2 = try Attention(
      scope["attn2"], channels, keyChannels: contextChannels, headCount: headCount, hasBias: false)
    norm3 = try LayerNorm(scope["norm3"], channels)
    feedForwardIn = try Linear(scope["ff.net.0.proj"], channels, 8 * channels)
    feedForwardOut = try Linear(scope["ff.net.2"], 4 * channels, channels)
  }

  /// - Parameter x: [T, channels]
  /// - Returns: [T, channels]
  func callAsFunction(_ x: Value, _ conditioning: Conditioning, in graph: Graph) -> Value {
    var h = attn1(
      norm1(x, in: graph), readsWindow: conditioning.readsWindow, adding: x, in: graph)
    h = attn2(norm2(h, in: graph), context: conditioning.context, adding: h, in: graph)
    // The halves come as diffusers' GEGLU has them, value first; the gate's is the second.
    let gated = graph.gatedGELU(feedForwardIn(norm3(h, in: graph), in: graph))
    return feedForwardOut(gated, adding: h, in: graph)
  }
}
