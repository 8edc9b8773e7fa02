import Glibc
import Kernels
import ModelFiles
import TensorCore

/// CogVideoX's denoiser: a transformer over all frames of a clip at once, told by a prompt.
///
/// Reference: Yang et al. 2025, section 2.2; names as in diffusers.
public struct CogVideoXTransformer3DModel {
  public let config: CogVideoXTransformerConfig
  let patches: Conv2d
  let textProjection: Linear
  let timeIn, timeOut: Linear
  let blocks: [CogVideoXBlock]
  let normFinal, normOut: LayerNorm
  let modulationOut, projectionOut: Linear

  /// - Throws: `ModelError` where configuration and weights do not belong together.
  public init(_ folder: ModelFolder) throws(ModelError) {
    let scope = try folder.weights(of: .transformer)
    config = try folder.videoTransformerConfig()
    let channels = config.channels
    patches = try Conv2d(
      scope["patch_embed.proj"], config.inChannels, channels, kernel: config.patchSize,
      stride: config.patchSize, padding: Padding(0))
    textProjection = try Linear(scope["patch_embed.text_proj"], config.textEmbedDim, channels)
    timeIn = try Linear(scope["time_embedding.linear_1"], channels, config.timeEmbedDim)
    timeOut = try Linear(
      scope["time_embedding.linear_2"], config.timeEmbedDim, config.timeEmbedDim)
    var blocks: [CogVideoXBlock] = []
    for layer in 0..<config.layerCount {
      blocks.append(try CogVideoXBlock(scope["transformer_blocks", layer], config))
    }
    self.blocks = blocks
    normFinal = try LayerNorm(scope["norm_final"], channels, epsilon: config.normEpsilon)
    modulationOut = try Linear(scope["norm_out.linear"], config.timeEmbedDim, 2 * channels)
    normOut = try LayerNorm(scope["norm_out.norm"], channels, epsilon: config.normEpsilon)
    projectionOut = try Linear(
      scope["proj_out"], channels, config.patchSize * config.patchSize * config.outChannels)
    try scope.finish()
  }

  /// - Parameters:
  ///   - latent: [T, h, w, inChannels], both sides multiples of the patches' size.
  ///   - text: [tokens, textEmbedDim]
  ///   - positions: ``positions(frames:height:width:)``
  ///   - timestep: a step's scalar.
  ///   - switchedBlocks: numbers of the blocks with attention switching; those that are not there
  ///     are passed over.
  /// - Returns: shaped as the latent, with outChannels.
  func callAsFunction(
    _ latent: Value, text: Value, positions: Value, timestep: Value, switchedBlocks: Set<Int>,
    in graph: Graph
  ) -> Value {
    let waves = graph.timestepEmbedding(
      timestep, channels: config.channels, flipsSineToCosine: config.flipSinToCos,
      frequencyShift: config.freqShift)
    // Every block begins with silu.
    let time = timeOut(
      timeIn(waves, activation: .silu, in: graph), activation: .silu, in: graph)
    let grid = patches(latent, in: graph)
    let textCount = text.shape[0]
    let tokens = graph.reshaped(grid, [grid.shape.rows, config.channels])
    var h = graph.stacked([
      textProjection(text, in: graph), graph.add(tokens, positions),
    ])
    for (index, block) in blocks.enumerated() {
      h = block(
        h, time: time, textCount: textCount, switches: switchedBlocks.contains(index), in: graph)
    }
    h = normFinal(graph.slice(h, textCount..<h.shape[0]), in: graph)
    h = graph.rowScaling(
      normOut(h, in: graph), by: modulationOut(time, in: graph),
      [RowSpan(count: h.shape[0], scale: config.channels, shift: 0)], offset: 1)
    let shape = grid.shape
    let pixels = projectionOut(h, in: graph)
    return graph.unpatchifying(
      graph.reshaped(pixels, [shape[0], shape[1], shape[2], pixels.shape.channels]),
      size: config.patchSize)
  }

  /// Where each patch lies: sines and cosines of its frame in the first quarter of the channels,
  /// then of its column and of its row.
  /// - Parameters:
  ///   - height: in patches.
  ///   - width: likewise.
  /// - Returns: [frames · height · width, channels]
  func positions(frames: Int, height: Int, width: Int) -> Tensor {
    let channels = config.channels
    func waves(_ count: Int, _ channels: Int, scale: Double) -> [[Float]] {
      let half = channels / 2
      return (0..<count).map { place in
        let position = Double(Float(place) / Float(scale))
        let phases = (0..<half).map { position / pow(10000, Double($0) / Double(half)) }
        return phases.map { Float(sin($0)) } + phases.map { Float(cos($0)) }
      }
    }
    let space = config.spatialInterpolationScale
    let inTime = waves(frames, channels / 4, scale: config.temporalInterpolationScale)
    let across = waves(width, channels * 3 / 8, scale: space)
    let down = waves(height, channels * 3 / 8, scale: space)
    var elements: [Float] = []
    elements.reserveCapacity(frames * height * width * channels)
    for frame in inTime {
      for row in down {
        for column in across { elements += frame + column + row }
      }
    }
    return Tensor([frames * height * width, channels], elements)
  }
}
