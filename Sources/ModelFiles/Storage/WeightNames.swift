/// The names that checkpoints of different ages give to one tensor, and the tensors that no network
/// asks for.
enum WeightNames {
  /// The one name under which a tensor is looked up, whatever the library that wrote the checkpoint
  /// calls it.
  static func canonical(_ name: String, part: ModelPart) -> String {
    switch part {
    case .textEncoder:
      // transformers writes CLIPTextModel without this prefix since version 5.
      return name.hasPrefix("text_model.") ? String(name.dropFirst("text_model.".count)) : name
    case .vae:
      return currentAttentionName(name)
    default:
      return name
    }
  }

  /// Older versions of diffusers, among them those that saved SD 1.5, name an autoencoder's
  /// attention otherwise.
  private static func currentAttentionName(_ name: String) -> String {
    guard name.contains(".attentions.") else { return name }
    var components = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard components.count >= 2 else { return name }
    let last = components.count - 2
    switch components[last] {
    case "query": components[last] = "to_q"
    case "key": components[last] = "to_k"
    case "value": components[last] = "to_v"
    case "proj_attn": components[last] = "to_out.0"
    default: return name
    }
    return components.joined(separator: ".")
  }

  /// Whether a tensor that no network asked for may stay unused. By its canonical name.
  static func isKnownLeftover(_ name: String, part: ModelPart) -> Bool {
    switch part {
    case .textEncoder:
      // The positions 0, 1, 2 ... that transformers saved before version 4.31; the projection and
      // temperature that CLIP trained with, which come after the last hidden state that diffusion
      // models read. And T5's second name for its table of tokens.
      [
        "embeddings.position_ids", "position_ids", "text_projection.weight", "logit_scale",
        "encoder.embed_tokens.weight",
      ].contains(name)
    case .unet:
      // See UNetConfig's time_cond_proj_dim.
      name == "time_embedding.cond_proj.weight"
    case .transformer:
      // Positions that are computed, and that older versions of diffusers saved.
      name == "patch_embed.pos_embedding"
    default: false
    }
  }
}
