/// In which order a ControlNet expects the condition's channels.
public enum ChannelOrder: String, Sendable, CaseIterable {
  case rgb, bgr
}

/// ControlNetModel's configuration: `controlnet/config.json`.
@dynamicMemberLookup
public struct ControlNetConfig: Sendable, Equatable {
  public var trunk: UNetTrunkConfig
  /// Channels of the condition: a picture's, or those of two.
  public var conditioningChannels: Int
  public var conditioningChannelOrder: ChannelOrder
  /// Widths of the condition's own convolutions: each but the last halves the resolution.
  public var conditioningEmbeddingOutChannels: [Int]

  /// Whether it sees a second picture of each frame beside the one that the U-Net restores.
  public var seesSecondPicture: Bool { conditioningChannels == 6 }

  public subscript<T>(dynamicMember path: KeyPath<UNetTrunkConfig, T>) -> T {
    trunk[keyPath: path]
  }

  init(_ reader: ConfigReader) throws(ModelError) {
    try reader.requireClass(.controlnet)
    try reader.require("global_pool_conditions", oneOf: .bool(false))
    trunk = try UNetTrunkConfig(reader)
    conditioningChannels = try reader.int("conditioning_channels", default: 3)
    conditioningChannelOrder = try reader.choice(
      "controlnet_conditioning_channel_order", default: .rgb)
    conditioningEmbeddingOutChannels = try reader.ints(
      "conditioning_embedding_out_channels", default: [16, 32, 96, 256])
  }
}
