extension ModelFolder {
  /// Refuses parts that do not belong together, by their configurations alone: before gigabytes of
  /// weights are read.
  /// - Parameter withControlNet: whether the ControlNet will be used.
  /// - Throws: `ModelError` naming the part's file, the option, and what the other part has.
  public func requireFit(withControlNet: Bool) throws(ModelError) {
    let unet = try unetConfig()
    let autoencoder = try autoencoderConfig()
    let text = try textConfig()
    try requireEqual(
      .unet, "out_channels", unet.outChannels, .vae, "latent_channels", autoencoder.latentChannels)
    if unet.readsSecondPicture {
      guard unet.windowInput == 0 else {
        throw ModelError(
          "\(place(of: .unet)): window_input: expected 0 with in_channels \(unet.inChannels), "
            + "found \(unet.windowInput): such models cannot be run")
      }
    } else {
      guard unet.inChannels != 2 * autoencoder.latentChannels + 1 else {
        throw ModelError(
          "\(place(of: .unet)): in_channels: expected \(autoencoder.latentChannels), found \(unet.inChannels), "
            + "a mask and a second latent, for inpainting: such models cannot be run")
      }
      try requireEqual(
        .unet, "in_channels", unet.inChannels, "latent_channels of vae, or twice as many",
        autoencoder.latentChannels)
    }
    try requireEqual(.vae, "in_channels", autoencoder.pictureChannels.in, "a picture's", 3)
    try requireEqual(.vae, "out_channels", autoencoder.pictureChannels.out, "a picture's", 3)
    for width in unet.crossAttentionDimensions {
      try requireEqual(
        .textEncoder, "hidden_size", text.hiddenSize, .unet, "cross_attention_dim", width)
    }
    if withControlNet { try requireFit(controlNetConfig(), unet, autoencoder) }
  }

  /// Of ``pictureMultiple()``: a picture of one pixel is padded to as many each way.
  private static let largestMultiple = 1024

  /// By how many pixels a picture's height and width have to be divisible: the autoencoder's
  /// factor, and a halving for every level of the U-Net but one.
  /// - Throws: `ModelError` where it is larger than that of any model that can be run.
  public func pictureMultiple() throws(ModelError) -> Int {
    let multiple = try autoencoderConfig().factor << (unetConfig().blockOutChannels.count - 1)
    guard multiple <= Self.largestMultiple else {
      throw ModelError(
        "\(place(of: .unet)): block_out_channels: with the levels of \(place(of: .vae)) sides of pictures would "
          + "have to be multiples of \(multiple), expected \(Self.largestMultiple) at most: such models cannot be run"
      )
    }
    return multiple
  }

  /// As ``requireFit(withControlNet:)``, for a model of whole clips.
  public func requireVideoFit() throws(ModelError) {
    try require(.cogVideoX)
    let transformer = try videoTransformerConfig()
    let autoencoder = try videoAutoencoderConfig()
    let text = try t5Config()
    for (key, found) in [
      ("in_channels", transformer.inChannels), ("out_channels", transformer.outChannels),
    ] {
      try requireEqual(
        .transformer, key, found, .vae, "latent_channels", autoencoder.latentChannels)
    }
    try requireEqual(
      .textEncoder, "d_model", text.modelDimension, .transformer, "text_embed_dim",
      transformer.textEmbedDim)
  }

  private func requireFit(
    _ control: ControlNetConfig, _ unet: UNetConfig, _ autoencoder: AutoencoderConfig
  ) throws(ModelError) {
    try requireEqual(
      .controlnet, "in_channels", control.inChannels, .unet, "in_channels", unet.inChannels)
    try requireEqual(
      .controlnet, "window_input", control.windowInput, .unet, "window_input", unet.windowInput)
    try requireEqual(
      .controlnet, "block_out_channels", control.blockOutChannels, .unet, "block_out_channels",
      unet.blockOutChannels)
    try requireEqual(
      .controlnet, "layers_per_block", control.layersPerBlock, .unet, "layers_per_block",
      unet.layersPerBlock)
    try requireEqual(
      .controlnet, "cross_attention_dim", control.crossAttentionDimensions, .unet,
      "cross_attention_dim", unet.crossAttentionDimensions)
    if control.seesSecondPicture {
      guard control.conditioningChannelOrder == .rgb else {
        throw ModelError(
          "\(place(of: .controlnet)): controlnet_conditioning_channel_order: expected rgb with "
            + "\(control.conditioningChannels) conditioning_channels, found bgr: such models cannot be run"
        )
      }
    } else {
      try requireEqual(
        .controlnet, "conditioning_channels", control.conditioningChannels,
        "a picture's, or 6, two pictures'", 3)
    }
    // Each width of the condition's convolutions but the last halves the resolution.
    try requireEqual(
      .controlnet, "number of conditioning_embedding_out_channels",
      control.conditioningEmbeddingOutChannels.count, "the autoencoder's number of resolutions",
      autoencoder.factor.trailingZeroBitCount + 1)
  }

  private func requireEqual<T: Equatable>(
    _ part: ModelPart, _ key: String, _ found: T, _ other: ModelPart, _ otherKey: String,
    _ expected: T
  ) throws(ModelError) {
    try requireEqual(part, key, found, "\(otherKey) of \(other.rawValue)", expected)
  }

  private func requireEqual<T: Equatable>(
    _ part: ModelPart, _ key: String, _ found: T, _ source: String, _ expected: T
  ) throws(ModelError) {
    guard found != expected else { return }
    throw ModelError(
      "\(place(of: part)): \(key): expected \(expected), \(source), found \(found): "
        + "the parts are of different models")
  }
}

extension AutoencoderConfig {
  /// Channels of the pictures that go in and come out.
  fileprivate var pictureChannels: (in: Int, out: Int) {
    switch self {
    case .kl(let config): (config.inChannels, config.outChannels)
    case .tiny(let config): (config.inChannels, config.outChannels)
    case .haar(let config): (config.inChannels, config.inChannels)
    }
  }
}
