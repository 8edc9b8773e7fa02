import Diffusion
import Kernels

/// DDIM sampling of a group of frames in lockstep: from the noisiest level down to the clean one,
/// led by the task's prompt, the degraded frames (through the ControlNet) and each other (through
/// the window).
///
/// Reference: TDM, section 3.3, eq. 4, and section 3.4.
struct Sampling {
  /// A move down, with the timestep at which the network is asked: that of the level it starts
  /// from.
  let moves: [(timestep: Int, move: Move)]
  let positive: any PromptContext
  /// With guidance only.
  let negative: (any PromptContext)?
  let guidance: Float
  let controlScale: Float

  init(
    _ options: RestorationOptions, schedule: NoiseSchedule, positive: any PromptContext,
    negative: (any PromptContext)?
  ) {
    let levels = schedule.levels(options.steps, strength: options.strength).reversed() + [-1]
    moves = zip(levels, levels.dropFirst()).map { from, to in
      (timestep: from, move: schedule.move(from: from, to: to))
    }
    self.positive = positive
    self.negative = negative
    guidance = Float(options.guidance)
    controlScale = Float(options.controlScale)
  }

  /// Samples a group.
  ///
  /// The lookahead's frames have done their part once the core's windows have read them in the last
  /// move: what would follow is left out.
  /// - Parameters:
  ///   - start: the frames' latents at the noisiest level; left as they are.
  ///   - core: how many of them, the first, are wanted.
  ///   - guides: the frames'.
  ///   - window: what the frames read and keep, with the first of its passes; nil has each read
  ///     itself alone.
  ///   - group: takes the core's clean latents in `samples`.
  func run(
    _ networks: any PipelineNetworks, from start: [any DeviceTensor], core: Int,
    guides: [FrameGuide], window: WindowPass?, in group: SamplingTensors
  ) throws {
    let samples = Array(group.samples.prefix(start.count))
    let firstPass = window?.pass ?? 0
    var window = window
    for (step, (timestep, move)) in moves.enumerated() {
      let latents = step == 0 ? start : samples
      let count = outputCount(start.count, core: core, step: step, window)
      let outputs = Array(group.outputs.prefix(count))
      window?.pass = firstPass + (negative == nil ? step : 2 * step)
      try networks.predict(
        latents, guides: guides, timestep: timestep, context: positive,
        controlScale: controlScale, window: window, into: outputs)
      if let negative {
        let bases = Array(group.bases.prefix(count))
        window?.pass = firstPass + 2 * step + 1
        try networks.predict(
          latents, guides: guides, timestep: timestep, context: negative,
          controlScale: controlScale, window: window, into: bases)
        // base + guidance · (output - base); Ho, Salimans 2022, eq. 6
        for (output, base) in zip(outputs, bases) {
          networks.combine(into: output, guidance, output, 1 - guidance, base)
        }
      }
      for (place, output) in outputs.enumerated() {
        networks.combine(
          into: samples[place], move.latentFactor, latents[place], move.outputFactor, output)
      }
    }
  }

  /// Evaluates the network as one of the moves does, once with each prompt, which changes `group`
  /// only.
  func evaluate(
    step: Int, _ networks: any PipelineNetworks, _ latents: [any DeviceTensor], core: Int,
    guides: [FrameGuide], window: WindowPass?, in group: SamplingTensors
  ) throws {
    let count = outputCount(latents.count, core: core, step: step, window)
    for context in [positive, negative].compactMap({ $0 }) {
      try networks.predict(
        latents, guides: guides, timestep: moves[step].timestep,
        context: context, controlScale: controlScale, window: window,
        into: Array(group.outputs.prefix(count)))
    }
  }

  /// For how many of a group's frames a move computes the network's output. The lookahead's is
  /// needed where the core's windows read it in the next move.
  private func outputCount(_ count: Int, core: Int, step: Int, _ window: WindowPass?) -> Int {
    window == nil || step == moves.count - 1 ? core : count
  }
}

/// The latents that sampling works in, one of a kind for each frame of a group. They are made once
/// and serve all groups.
final class SamplingTensors {
  private(set) var samples: [any DeviceTensor] = []
  private(set) var outputs: [any DeviceTensor] = []
  /// The negative prompt's outputs; with guidance only.
  private(set) var bases: [any DeviceTensor] = []

  /// Makes sure that a group of `count` frames fits.
  func reserve(_ count: Int, guided: Bool, from networks: any PipelineNetworks) {
    while samples.count < count {
      samples.append(networks.makeLatent())
      outputs.append(networks.makeLatent())
    }
    while guided && bases.count < count { bases.append(networks.makeLatent()) }
  }
}
