import Kernels
import ModelFiles
import TensorCore

/// An autoencoder of convolutions alone, without norms or attention.
///
/// Reference: TAESD; names as in diffusers, where the layers are numbered through and functions
/// have a number too.
public struct AutoencoderTiny: Autoencoder {
  public let config: AutoencoderTinyConfig
  let encoder, decoder: [Layer]

  enum Layer {
    case conv(Conv2d, Activation)
    case block(AutoencoderTinyBlock)
    case upsampling

    func callAsFunction(_ x: Value, in graph: Graph) -> Value {
      switch self {
      case .conv(let conv, let activation): conv(x, activation: activation, in: graph)
      case .block(let block): block(x, in: graph)
      case .upsampling: graph.upsampling(x, height: 2 * x.shape[0], width: 2 * x.shape[1])
      }
    }
  }

  public var latentChannels: Int { config.latentChannels }
  public var factor: Int { config.factor }

  public init(_ scope: WeightScope, _ config: AutoencoderTinyConfig) throws(ModelError) {
    self.config = config
    encoder = try Self.encoder(scope["encoder"], config)
    decoder = try Self.decoder(scope["decoder"], config)
  }

  private static func encoder(
    _ scope: WeightScope, _ config: AutoencoderTinyConfig
  ) throws(ModelError) -> [Layer] {
    let width = config.encoderBlockOutChannels[0]
    var layers: [Layer] = []
    func next() -> WeightScope { scope["layers", layers.count] }
    for (stage, count) in config.encoderBlockCounts.enumerated() {
      let conv =
        stage == 0
        ? try Conv2d(next(), config.inChannels, width)
        : try Conv2d(next(), width, width, stride: 2, hasBias: false)
      layers.append(.conv(conv, .none))
      for _ in 0..<count {
        layers.append(.block(try AutoencoderTinyBlock(next(), width, config.function)))
      }
    }
    layers.append(.conv(try Conv2d(next(), width, config.latentChannels), .none))
    return layers
  }

  private static func decoder(
    _ scope: WeightScope, _ config: AutoencoderTinyConfig
  ) throws(ModelError) -> [Layer] {
    let width = config.decoderBlockOutChannels[0]
    let lastStage = config.decoderBlockCounts.count - 1
    var layers: [Layer] = [
      .conv(try Conv2d(scope["layers", 0], config.latentChannels, width), config.function)
    ]
    // The function behind the first convolution is number 1.
    func next() -> WeightScope { scope["layers", layers.count + 1] }
    for (stage, count) in config.decoderBlockCounts.enumerated() {
      for _ in 0..<count {
        layers.append(.block(try AutoencoderTinyBlock(next(), width, config.function)))
      }
      if stage == lastStage {
        layers.append(.conv(try Conv2d(next(), width, config.outChannels), .none))
      } else {
        layers.append(.upsampling)
        layers.append(.conv(try Conv2d(next(), width, width, hasBias: false), .none))
      }
    }
    return layers
  }

  public func encode(_ picture: Value, in graph: Graph) -> Value {
    var h = graph.affine(picture, scale: 0.5, offset: 0.5)
    for layer in encoder { h = layer(h, in: graph) }
    return graph.affine(h, scale: config.scalingFactor)
  }

  public func decode(_ latent: Value, in graph: Graph) -> Value {
    // diffusers' decoder bends at 3 whatever latent_magnitude says.
    var h = graph.softClamp(graph.affine(latent, scale: 1 / config.scalingFactor), limit: 3)
    for layer in decoder { h = layer(h, in: graph) }
    return graph.affine(h, scale: 2, offset: -1)
  }
}

/// Three convolutions beside a shortcut, with a ReLU behind the sum.
struct AutoencoderTinyBlock {
  let convs: [Conv2d]
  let function: Activation

  init(_ scope: WeightScope, _ channels: Int, _ function: Activation) throws(ModelError) {
    convs = [
      try Conv2d(scope["conv.0"], channels, channels),
      try Conv2d(scope["conv.2"], channels, channels),
      try Conv2d(scope["conv.4"], channels, channels),
    ]
    self.function = function
  }

  func callAsFunction(_ x: Value, in graph: Graph) -> Value {
    var h = convs[0](x, activation: function, in: graph)
    h = convs[1](h, activation: function, in: graph)
    return convs[2](h, adding: x, activation: .relu, in: graph)
  }
}

extension AutoencoderTinyConfig {
  fileprivate var function: Kernels.Activation {
    switch activation {
    case .relu: .relu
    case .silu, .swish: .silu
    case .gelu: .gelu
    }
  }
}
