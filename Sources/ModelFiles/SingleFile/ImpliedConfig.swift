import StrictJSON

/// What the shapes of a part's tensors imply of the configuration that diffusers would have written
/// beside them. What no shape tells is Stable Diffusion 1.x's.
struct ImpliedConfig {
  /// What errors call the file.
  let place: String
  /// By diffusers' names.
  let shapes: [String: [Int]]

  /// - Throws: `ModelError` where there is no such tensor, or it has fewer axes.
  private func extent(_ name: String, _ axis: Int) throws(ModelError) -> JSON {
    guard let extents = shapes[name], axis < extents.count else {
      throw ModelError(
        "\(place): tensor \(name.quoted), as diffusers calls it, is missing or has fewer than \(axis + 1) axes: "
          + "this is not the whole of a Stable Diffusion 1.x checkpoint")
    }
    return .integer(extents[axis])
  }

  /// How many of the tensors that `name` names from 0 on there are.
  private func count(_ name: (Int) -> String) -> Int {
    var count = 0
    while shapes[name(count)] != nil { count += 1 }
    return count
  }

  /// The widths of the blocks that `block` names from 0 on.
  private func widths(_ block: (Int) -> String) throws(ModelError) -> [JSON] {
    var widths: [JSON] = []
    while shapes["\(block(widths.count)).resnets.0.conv1.weight"] != nil {
      widths.append(try extent("\(block(widths.count)).resnets.0.conv1.weight", 0))
    }
    return widths
  }

  private func hasAttention(_ block: String) -> Bool {
    shapes["\(block).attentions.0.proj_in.weight"] != nil
  }

  /// - Parameter part: one that has weights in such files.
  func config(of part: ModelPart) throws(ModelError) -> JSON {
    switch part {
    case .unet: try unet()
    case .controlnet: try controlNet()
    case .vae: try autoencoder()
    case .textEncoder: try text()
    case .transformer, .tokenizer, .scheduler:
      preconditionFailure("the part \(part.rawValue) has no weights in a single file")
    }
  }

  private func unet() throws(ModelError) -> JSON {
    var config = try trunk()
    config["out_channels"] = try extent("conv_out.weight", 0)
    let ups = count { "up_blocks.\($0).resnets.0.conv1.weight" }
    config["up_block_types"] = .array(
      (0..<ups).map {
        Self.type(
          hasAttention("up_blocks.\($0)") ? UpBlockType.crossAttnUpBlock2D : .upBlock2D)
      })
    return .object(config)
  }

  private func controlNet() throws(ModelError) -> JSON {
    var config = try trunk()
    let condition = "controlnet_cond_embedding"
    config["conditioning_channels"] = try extent("\(condition).conv_in.weight", 1)
    var widths = [try extent("\(condition).conv_in.weight", 0)]
    // Of each two convolutions the second has the next width.
    for pair in 0..<count({ "\(condition).blocks.\(2 * $0 + 1).weight" }) {
      widths.append(try extent("\(condition).blocks.\(2 * pair + 1).weight", 0))
    }
    config["conditioning_embedding_out_channels"] = .array(widths)
    return .object(config)
  }

  /// What U-Net and ControlNet have in common.
  private func trunk() throws(ModelError) -> [String: JSON] {
    let widths = try widths { "down_blocks.\($0)" }
    let blocks = widths.count
    let attention =
      ((0..<blocks).map { "down_blocks.\($0)" } + ["mid_block"]).first(where: hasAttention)
      ?? "mid_block"
    let transformer = "\(attention).attentions.0"
    // Stable Diffusion 2.x has matrices there, and heads of 64 channels.
    let isLinear = shapes["\(transformer).proj_in.weight"]?.count == 2
    let heads =
      isLinear ? JSON.array(widths.map { .integer(max(1, ($0.integer ?? 0) / 64)) }) : .integer(8)
    return [
      "in_channels": try extent("conv_in.weight", 1),
      "block_out_channels": .array(widths),
      "layers_per_block": .array(
        (0..<blocks).map { block in
          .integer(count { "down_blocks.\(block).resnets.\($0).conv1.weight" })
        }),
      "down_block_types": .array(
        (0..<blocks).map {
          Self.type(
            hasAttention("down_blocks.\($0)") ? DownBlockType.crossAttnDownBlock2D : .downBlock2D)
        }),
      "cross_attention_dim": try extent(
        "\(transformer).transformer_blocks.0.attn2.to_k.weight", 1),
      "transformer_layers_per_block": .integer(
        count { "\(transformer).transformer_blocks.\($0).attn2.to_k.weight" }),
      "use_linear_projection": .bool(isLinear),
      "attention_head_dim": heads,
      "norm_num_groups": .integer(32),
    ]
  }

  private func autoencoder() throws(ModelError) -> JSON {
    let widths = try widths { "encoder.down_blocks.\($0)" }
    return .object([
      "_class_name": .string("AutoencoderKL"),
      "in_channels": try extent("encoder.conv_in.weight", 1),
      "out_channels": try extent("decoder.conv_out.weight", 0),
      "latent_channels": try extent("decoder.conv_in.weight", 1),
      "block_out_channels": .array(widths),
      "down_block_types": .array(widths.map { _ in .string("DownEncoderBlock2D") }),
      "up_block_types": .array(widths.map { _ in .string("UpDecoderBlock2D") }),
      "layers_per_block": .integer(
        count { "encoder.down_blocks.0.resnets.\($0).conv1.weight" }),
      "norm_num_groups": .integer(32),
      "scaling_factor": .number(0.18215),
    ])
  }

  private func text() throws(ModelError) -> JSON {
    let embeddings = "embeddings.token_embedding.weight"
    let width = try extent(embeddings, 1)
    return .object([
      "model_type": .string("clip_text_model"),
      "vocab_size": try extent(embeddings, 0),
      "hidden_size": width,
      "intermediate_size": try extent("encoder.layers.0.mlp.fc1.weight", 0),
      "num_hidden_layers": .integer(count { "encoder.layers.\($0).mlp.fc1.weight" }),
      // CLIP's heads are 64 wide.
      "num_attention_heads": .integer(max(1, (width.integer ?? 0) / 64)),
      "max_position_embeddings": try extent("embeddings.position_embedding.weight", 0),
      "hidden_act": .string("quick_gelu"),
    ])
  }

  /// - Parameters:
  ///   - predictsVelocity: whether the U-Net was trained to.
  ///   - endsInNoise: whether the schedule was rescaled so that its last level is noise alone.
  static func scheduler(predictsVelocity: Bool, endsInNoise: Bool) -> JSON {
    .object([
      "num_train_timesteps": .integer(1000),
      "beta_start": .number(0.00085),
      "beta_end": .number(0.012),
      "beta_schedule": .string("scaled_linear"),
      "set_alpha_to_one": .bool(false),
      "prediction_type": .string(predictsVelocity ? "v_prediction" : "epsilon"),
      "rescale_betas_zero_snr": .bool(endsInNoise),
    ])
  }

  private static func type(_ type: some RawRepresentable<String>) -> JSON {
    .string(type.rawValue)
  }
}
