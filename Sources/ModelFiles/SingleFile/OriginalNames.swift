/// What diffusers calls the tensors of Stable Diffusion's original code (CompVis'
/// latent-diffusion), in whose names most checkpoints of a single file are written.
///
/// That code numbers its blocks through, whichever resolution they are at: what a number stands for
/// follows from what the block holds.
struct OriginalNames {
  /// By the first components of the original name, those that replace them.
  private var places: [String: String] = [:]
  /// The first components of every name, up to ``longest`` of them.
  private let prefixes: Set<String>
  /// Components of the longest place: `encoder.down.0.block.0.nin_shortcut`. Names may be of any
  /// number.
  private static let longest = 6

  private init(_ names: some Sequence<String>) {
    prefixes = Set(names.flatMap { name in Self.dots(of: name).map { String(name[..<$0]) } })
  }

  /// The ends of a name's first components.
  private static func dots(of name: String) -> [String.Index] {
    Array(name.indices.lazy.filter { name[$0] == "." }.prefix(longest))
  }

  /// By the longest beginning that is known; the same name where none is.
  func diffusers(_ name: String) -> String {
    for dot in Self.dots(of: name).reversed() {
      if let place = places[String(name[..<dot])] { return place + name[dot...] }
    }
    return name
  }

  /// How many of the places that `place` names from 0 on there are.
  private func count(_ place: (Int) -> String) -> Int {
    var count = 0
    while prefixes.contains(place(count)) { count += 1 }
    return count
  }

  /// - Parameter layers: diffusers' names of what the block holds, by the original ones.
  private mutating func add(_ layers: [String: String], at block: String, as place: String) {
    for (original, layer) in layers { places["\(block).\(original)"] = "\(place).\(layer)" }
  }
}

/// The U-Net's and the ControlNet's.
extension OriginalNames {
  private static let resnetLayers = [
    "in_layers.0": "norm1", "in_layers.2": "conv1", "emb_layers.1": "time_emb_proj",
    "out_layers.0": "norm2", "out_layers.3": "conv2", "skip_connection": "conv_shortcut",
  ]

  /// - Parameter names: of all its tensors, what stands before the network's own aside.
  init(trunk names: some Sequence<String>) {
    self.init(names)
    places = [
      "time_embed.0": "time_embedding.linear_1", "time_embed.2": "time_embedding.linear_2",
      "input_blocks.0.0": "conv_in", "out.0": "conv_norm_out", "out.2": "conv_out",
      "middle_block.1": "mid_block.attentions.0", "middle_block_out.0": "controlnet_mid_block",
    ]
    for (index, block) in ["middle_block.0", "middle_block.2"].enumerated() {
      add(Self.resnetLayers, at: block, as: "mid_block.resnets.\(index)")
    }
    addDownBlocks()
    addUpBlocks()
    for index in 0..<count({ "zero_convs.\($0)" }) {
      places["zero_convs.\(index).0"] = "controlnet_down_blocks.\(index)"
    }
    addCondition()
  }

  private mutating func addDownBlocks() {
    var (level, layer) = (0, 0)
    for index in 1..<max(1, count { "input_blocks.\($0)" }) {
      let block = "input_blocks.\(index)"
      if prefixes.contains("\(block).0.op") {
        places["\(block).0.op"] = "down_blocks.\(level).downsamplers.0.conv"
        (level, layer) = (level + 1, 0)
      } else {
        add(Self.resnetLayers, at: "\(block).0", as: "down_blocks.\(level).resnets.\(layer)")
        places["\(block).1"] = "down_blocks.\(level).attentions.\(layer)"
        layer += 1
      }
    }
  }

  private mutating func addUpBlocks() {
    var (level, layer) = (0, 0)
    for index in 0..<count({ "output_blocks.\($0)" }) {
      let block = "output_blocks.\(index)"
      add(Self.resnetLayers, at: "\(block).0", as: "up_blocks.\(level).resnets.\(layer)")
      // Behind the residual block: attention, enlarging, or one behind the other.
      let sampler = ["\(block).1.conv", "\(block).2.conv"].first { prefixes.contains($0) }
      if sampler != "\(block).1.conv" {
        places["\(block).1"] = "up_blocks.\(level).attentions.\(layer)"
      }
      layer += 1
      if let sampler {
        places[sampler] = "up_blocks.\(level).upsamplers.0.conv"
        (level, layer) = (level + 1, 0)
      }
    }
  }

  /// The condition's own convolutions, between which activations have the odd numbers.
  private mutating func addCondition() {
    var last = 0
    while prefixes.contains("input_hint_block.\(last + 2)") {
      last += 2
      places["input_hint_block.\(last)"] = "controlnet_cond_embedding.blocks.\(last / 2 - 1)"
    }
    places["input_hint_block.0"] = "controlnet_cond_embedding.conv_in"
    if last > 0 { places["input_hint_block.\(last)"] = "controlnet_cond_embedding.conv_out" }
  }
}

/// The autoencoder's.
extension OriginalNames {
  private static let attentionLayers = [
    "norm": "group_norm", "q": "to_q", "k": "to_k", "v": "to_v", "proj_out": "to_out.0",
  ]

  /// - Parameter names: of all its tensors, what stands before the network's own aside.
  init(autoencoder names: some Sequence<String>) {
    self.init(names)
    for side in ["encoder", "decoder"] {
      places["\(side).norm_out"] = "\(side).conv_norm_out"
      for index in 0...1 {
        places["\(side).mid.block_\(index + 1)"] = "\(side).mid_block.resnets.\(index)"
      }
      let attention = "\(side).mid.attn_1"
      // Some converters write diffusers' names below it.
      places[attention] = "\(side).mid_block.attentions.0"
      add(Self.attentionLayers, at: attention, as: "\(side).mid_block.attentions.0")
    }
    let downCount = count { "encoder.down.\($0)" }
    for level in 0..<downCount {
      addBlocks("encoder.down.\(level)", as: "encoder.down_blocks.\(level)")
      places["encoder.down.\(level).downsample.conv"] =
        "encoder.down_blocks.\(level).downsamplers.0.conv"
    }
    // The original numbers the decoder's resolutions as the encoder's, diffusers as they come.
    let upCount = count { "decoder.up.\($0)" }
    for level in 0..<upCount {
      let place = "decoder.up_blocks.\(upCount - 1 - level)"
      addBlocks("decoder.up.\(level)", as: place)
      places["decoder.up.\(level).upsample.conv"] = "\(place).upsamplers.0.conv"
    }
  }

  private mutating func addBlocks(_ level: String, as place: String) {
    for index in 0..<count({ "\(level).block.\($0)" }) {
      places["\(level).block.\(index)"] = "\(place).resnets.\(index)"
      places["\(level).block.\(index).nin_shortcut"] = "\(place).resnets.\(index).conv_shortcut"
    }
  }
}
