import Kernels
import ModelFiles
import TensorCore

/// What the residual blocks get to know of the timestep: computed once a step for all frames.
struct TimestepEmbedding {
  let linear1, linear2: Linear
  let channels: Int
  let flipsSineToCosine: Bool
  let frequencyShift: Float

  /// Width of the embedding.
  static func width(_ config: UNetTrunkConfig) -> Int { 4 * config.blockOutChannels[0] }

  init(_ scope: WeightScope, _ config: UNetTrunkConfig) throws(ModelError) {
    channels = config.blockOutChannels[0]
    flipsSineToCosine = config.flipSinToCos
    frequencyShift = config.freqShift
    let width = Self.width(config)
    linear1 = try Linear(scope["linear_1"], channels, width)
    linear2 = try Linear(scope["linear_2"], width, width)
  }

  /// - Parameter timestep: a step's scalar.
  /// - Returns: silu(embedding), [4 · channels]. Every block begins with that function, so it is
  ///   taken here, once.
  func callAsFunction(_ timestep: Value, in graph: Graph) -> Value {
    let waves = graph.timestepEmbedding(
      timestep, channels: channels, flipsSineToCosine: flipsSineToCosine,
      frequencyShift: frequencyShift)
    return linear2(linear1(waves, activation: .silu, in: graph), activation: .silu, in: graph)
  }
}
