import Diffusion
import Kernels
import ModelFiles
import Networks
import TensorCore
import Video

/// What can be timed by itself.
enum BenchPart: String, CaseIterable {
  case text, encode, decode, condition, unet, controlnet

  static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }

  var needsControlNet: Bool { self == .condition || self == .controlnet }

  func prepare(
    _ folder: ModelFolder, _ geometry: Geometry, on device: any Device
  ) throws -> PartRun {
    switch self {
    case .text: try .text(folder, on: device)
    case .encode:
      try .image(("picture", geometry.picture), "latent", "encode", on: device) {
        try folder.autoencoder().encode($0, in: $1)
      }
    case .decode:
      try .image(("latent", geometry.latent), "picture", "decode", on: device) {
        try folder.autoencoder().decode($0, in: $1)
      }
    case .condition:
      try .condition(folder, geometry, on: device)
    case .unet: try .unet(folder, geometry, on: device)
    case .controlnet: try .controlNet(folder, geometry, on: device)
    }
  }
}

/// The sizes that a picture's size leads to.
struct Geometry {
  let width, height: Int
  /// Of a frame's latent, [h, w, channels].
  let latentShape: Shape
  /// Of the latents that the networks' first convolution reads side by side, [h, w, (2 ·
  /// windowInput + 1) · inChannels].
  let windowShape: Shape

  init(_ folder: ModelFolder, _ size: PictureSize) throws {
    try folder.requireFit(withControlNet: folder.hasPart(.controlnet))
    let autoencoder = try folder.autoencoderConfig()
    let multiple = try folder.pictureMultiple()
    width = size.width.roundedUp(to: multiple)
    height = size.height.roundedUp(to: multiple)
    latentShape = [
      height / autoencoder.factor, width / autoencoder.factor, autoencoder.latentChannels,
    ]
    let trunk = try folder.unetConfig().trunk
    windowShape = [
      latentShape[0], latentShape[1], (2 * trunk.windowInput + 1) * trunk.inChannels,
    ]
  }

  /// Uniform in [-1, 1].
  var picture: Tensor { noise([height, width, 3], amplitude: 1, seed: 1) }
  /// What a condition is made of: a picture, and where two are seen another.
  func pictures(_ seesSecondPicture: Bool) -> [(name: String, tensor: Tensor)] {
    let second = noise([height, width, 3], amplitude: 1, seed: 4)
    return [("picture", picture)] + (seesSecondPicture ? [("second", second)] : [])
  }
  /// Of deviation 1, as noisy latents are.
  var latent: Tensor { noise(latentShape, amplitude: 3.0.squareRoot(), seed: 2) }
  /// The same for all that is read side by side; of one latent it is that.
  var window: Tensor { noise(windowShape, amplitude: 3.0.squareRoot(), seed: 2) }
  /// The timestep of every prediction.
  var timestep: Float { 601 }

  /// Text features of deviation 1.
  func context(_ config: CLIPTextConfig) -> Tensor {
    noise(
      [config.promptLength, config.hiddenSize], amplitude: 3.0.squareRoot(), seed: 3)
  }

  private func noise(_ shape: Shape, amplitude: Double, seed: UInt64) -> Tensor {
    var generator = SplitMix64(state: seed)
    return Tensor(
      shape,
      (0..<shape.count).map { _ in
        Float(Double.random(in: -amplitude...amplitude, using: &generator))
      })
  }
}
