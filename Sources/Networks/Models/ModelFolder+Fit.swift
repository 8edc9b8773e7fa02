import ModelFiles

extension ModelFolder {
  /// Whether the parts belong together, by their configurations alone: told before weights are read.
  /// - Parameter withControlNet: whether the ControlNet is going to be used.
  /// - Throws: `ModelError` naming the part that belongs to another model.
  public func requireFittingParts(withControlNet: Bool) throws(ModelError) {
    let autoencoder = try autoencoderConfig()
    let unet = try unetConfig()
    let hiddenSize = try textConfig().hiddenSize
    func require(
      _ part: String, _ key: String, _ found: Int, equals expected: Int, of other: String
    ) throws(ModelError) {
      guard found != expected else { return }
      throw ModelError(
        "\(name)/\(part)/config.json: \(key): expected \(expected), \(other), found \(found): "
          + "the part belongs to another model")
    }
    func requireText(_ part: String, _ trunk: UNetTrunkConfig) throws(ModelError) {
      for dimension in trunk.crossAttentionDimensions {
        try require(
          part, "cross_attention_dim", dimension, equals: hiddenSize,
          of: "the text encoder's hidden_size")
      }
    }

    let channels = autoencoder.latentChannels
    let whose = "the autoencoder's latent_channels"
    try require("unet", "in_channels", unet.trunk.inChannels, equals: channels, of: whose)
    try require("unet", "out_channels", unet.outChannels, equals: channels, of: whose)
    try requireText("unet", unet.trunk)

    guard withControlNet else { return }
    let control = try controlNetConfig()
    let own = control.trunk
    let its = unet.trunk
    try require(
      "controlnet", "in_channels", own.inChannels, equals: its.inChannels, of: "the UNet's")
    try requireText("controlnet", own)
    try require(
      "controlnet", "conditioning_channels", control.conditioningChannels, equals: 3,
      of: "a picture's")
    let factor = 1 << (control.conditioningEmbeddingOutChannels.count - 1)
    try require(
      "controlnet", "conditioning_embedding_out_channels: the factor", factor,
      equals: autoencoder.factor, of: "the autoencoder's")
    guard own.blockOutChannels == its.blockOutChannels, own.layersPerBlock == its.layersPerBlock
    else {
      throw ModelError(
        "\(name)/controlnet/config.json: block_out_channels \(own.blockOutChannels) with "
          + "layers_per_block \(own.layersPerBlock), expected \(its.blockOutChannels) with "
          + "\(its.layersPerBlock), the UNet's: the part belongs to another model")
    }
  }
}
