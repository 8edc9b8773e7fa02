import Diffusion
import Kernels
import TensorCore

/// Takes a clip's latent to noise and back, away from a prompt: edit-friendly DDPM inversion and,
/// with the noise that it found, guided sampling.
///
/// Reference: Huberman-Spiegelglas et al. 2024, section 3; Varanka et al. 2026, section 3.
final class DDPMEditing {
  private let device: any Device
  private let denoiser: VideoDenoising
  /// The cleanest first: those that are gone through.
  private let steps: [ReverseStep]
  private let clean, noisy, cleaner, normals: any DeviceTensor
  private let outputs: [any DeviceTensor]
  /// The noise of each step.
  private var stepNoise: [any DeviceTensor] = []
  /// [frames, height, width, channels]
  let shape: Shape
  private var isChecked = false

  /// - Parameters:
  ///   - shape: of the latent, [frames, height, width, channels].
  ///   - steps: the cleanest first.
  init(_ denoiser: VideoDenoising, shape: Shape, steps: [ReverseStep], on device: any Device) {
    self.device = device
    self.denoiser = denoiser
    self.steps = steps
    self.shape = shape
    let make = { device.makeTensor(shape, storage: .exact) }
    (clean, noisy, cleaner, normals) = (make(), make(), make(), make())
    outputs = [make(), make()]
    stepNoise = steps.map { _ in make() }
  }

  /// Bytes of all latents that it holds.
  static func byteCount(_ shape: Shape, stepCount: Int) -> Int {
    (6 + stepCount) * shape.count * MemoryLayout<Float>.size
  }

  /// Draws the clip's noisy latents and finds the noise between them.
  /// - Parameters:
  ///   - latent: of the clip, shaped as said.
  ///   - seed: of the noise.
  func invert(_ latent: [Float], seed: UInt64) throws {
    var noise = GaussianNoise(seed: seed)
    clean.load(latent)
    device.combine(into: cleaner, 1, clean, 0, clean)
    for (step, found) in zip(steps, stepNoise) {
      normals.load(Self.drawn(&noise, shape))
      device.combine(into: noisy, step.signal, clean, step.noise, normals)
      if step.deviation == 0 {
        device.combine(into: found, 0, clean, 0, clean)
      } else {
        try denoiser.predict(noisy, [.empty], timestep: step.timestep, into: [outputs[0]])
        if !isChecked { try check(outputs[0]) }
        device.combine(
          into: found, step.move.latentFactor, noisy, step.move.outputFactor, outputs[0])
        device.combine(
          into: found, 1 / step.deviation, cleaner, -1 / step.deviation, found)
      }
      device.combine(into: cleaner, 1, noisy, 0, noisy)
    }
  }

  /// Samples from the last noisy latent that was drawn.
  /// - Parameter guidance: v = v(negative) + guidance · (v(empty) - v(negative)).
  /// - Returns: the edited latent.
  func edit(guidance: Float) throws -> [Float] {
    // `cleaner` is the last that was drawn.
    let x = cleaner
    for (step, noise) in zip(steps, stepNoise).reversed() {
      try denoiser.predict(x, [.negative, .empty], timestep: step.timestep, into: outputs)
      device.combine(into: outputs[0], 1 - guidance, outputs[0], guidance, outputs[1])
      device.combine(into: x, step.move.latentFactor, x, step.move.outputFactor, outputs[0])
      device.combine(into: x, 1, x, step.deviation, noise)
    }
    var latent = [Float](repeating: 0, count: shape.count)
    x.store(into: &latent)
    return latent
  }

  /// Tells broken weights by their first output, hours before a segment's end.
  private func check(_ output: any DeviceTensor) throws {
    var values = [Float](repeating: 0, count: shape.count)
    output.store(into: &values)
    try requireFinite(values, "the first evaluation")
    isChecked = true
  }

  /// Normals of one latent, drawn frame by frame and channel by channel.
  private static func drawn(_ noise: inout GaussianNoise, _ shape: Shape) -> [Float] {
    let (pixels, channels) = (shape[1] * shape[2], shape[3])
    var values = [Float](repeating: 0, count: shape.count)
    for frame in 0..<shape[0] {
      for channel in 0..<channels {
        for pixel in 0..<pixels {
          values[(frame * pixels + pixel) * channels + channel] = noise.next()
        }
      }
    }
    return values
  }
}

/// The two prompts between which a clip is edited.
enum EditPrompt { case negative, empty }

/// What editing asks of the network.
protocol VideoDenoising: AnyObject {
  /// Predicts v for one latent under each of the prompts.
  func predict(
    _ x: any DeviceTensor, _ prompts: [EditPrompt], timestep: Int, into outputs: [any DeviceTensor]
  ) throws
}
