import Kernels
import TensorCore

@testable import Diffusion
@testable import Restoration

/// A short stream of small frames, and what restores it with ``PlainNetworks``.
enum PlainStream {
  static let canvas = Canvas(height: 6, width: 9, multiple: PlainNetworks.multiple)

  static func schedule() throws -> NoiseSchedule {
    try NoiseSchedule(
      betas: Betas.make(.scaledLinear, from: 0.00085, to: 0.012, count: 1000), setAlphaToOne: true,
      prediction: .vPrediction)
  }

  static func frames(_ count: Int, seed: UInt64 = 1) -> [[Float]] {
    (0..<count).map { frame in
      var noise = GaussianNoise(seed: seed + UInt64(frame))
      return (0..<canvas.frameCount).map { _ in 128 + 40 * noise.next() }
    }
  }

  static func options(_ change: (inout RestorationOptions) -> Void) -> RestorationOptions {
    var options = RestorationOptions()
    options.inversionSteps = 2
    options.steps = 3
    options.sceneCut = .off
    change(&options)
    return options
  }

  static func makeRestorer(
    _ options: RestorationOptions, _ canvas: Canvas = canvas
  ) throws -> (restorer: TDMPipeline, networks: PlainNetworks) {
    let networks = PlainNetworks(Tiling(canvas))
    let restorer = try TDMPipeline(
      schedule: try schedule(), options: options, canvas: canvas
    ) { _ in networks }
    return (restorer, networks)
  }

  static func restore(
    _ frames: [[Float]], _ options: RestorationOptions, _ canvas: Canvas = canvas
  ) throws -> [[Float]] {
    try makeRestorer(options, canvas).restorer.restore(frames)
  }
}
