import Diffusion
import Kernels

/// DDIM inversion: from a frame's own latent up to the noisiest level, each frame by itself.
///
/// What the network finds in the frame is so written into the noise that sampling starts from; that
/// is what keeps neighbouring frames alike. With no moves at all the latent is taken as it is for
/// the noisiest level: a network that was trained so sees the frame's own noise there.
///
/// Reference: TDM, section 3.3, eq. 3.
struct Inversion {
  /// A move up, with the timestep at which the network is asked: that of the level it leads to.
  let moves: [(timestep: Int, move: Move)]
  let context: any PromptContext
  let controlScale: Float

  init(_ options: RestorationOptions, schedule: NoiseSchedule, context: any PromptContext) {
    let levels = schedule.levels(options.inversionSteps, strength: options.strength)
    moves = zip([-1] + levels, levels).map { from, to in
      (timestep: to, move: schedule.move(from: from, to: to))
    }
    self.context = context
    controlScale = Float(options.inversionControlScale)
  }

  /// Takes `latent` to the noisiest level, in place.
  /// - Parameters:
  ///   - guide: the frame's.
  ///   - output: scratch, shaped as `latent`.
  func run(
    _ networks: any PipelineNetworks, latent: any DeviceTensor, guide: FrameGuide,
    output: any DeviceTensor
  ) throws {
    for (timestep, move) in moves {
      try predict(networks, latent, timestep, guide, into: output)
      networks.combine(into: latent, move.latentFactor, latent, move.outputFactor, output)
    }
  }

  /// Evaluates the network once, which changes `output` only; without moves not even that.
  func evaluate(
    _ networks: any PipelineNetworks, _ latent: any DeviceTensor, guide: FrameGuide,
    into output: any DeviceTensor
  ) throws {
    guard let first = moves.first else { return }
    try predict(networks, latent, first.timestep, guide, into: output)
  }

  private func predict(
    _ networks: any PipelineNetworks, _ latent: any DeviceTensor, _ timestep: Int,
    _ guide: FrameGuide, into output: any DeviceTensor
  ) throws {
    try networks.predict(
      [latent], guides: [guide], timestep: timestep, context: context,
      controlScale: controlScale, window: nil, into: [output])
  }
}
