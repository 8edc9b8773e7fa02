import ModelFiles

/// One deterministic DDIM move of a latent between two noise levels, towards the noise or away from
/// it: x' = latentFactor · x + outputFactor · (the network's output).
///
/// The clean latent and the noise that the output stands for are linear in x and in the output, and
/// so is the move; its two factors are worked out in double, and a device needs one pass over
/// memory.
///
/// Reference: Song et al. 2021, eq. 12 with σ = 0; TDM, eq. 3 (inversion) and eq. 4 (sampling).
public struct Move: Sendable, Equatable {
  public let latentFactor: Float
  public let outputFactor: Float
}

extension NoiseSchedule {
  /// The move between two timesteps, where a negative one is the clean end.
  public func move(from: Int, to: Int) -> Move {
    let here = alphaBar(at: from)
    let there = alphaBar(at: to)
    let signal = here.squareRoot()
    let noise = (1 - here).squareRoot()
    let signalThere = there.squareRoot()
    let noiseThere = (1 - there).squareRoot()
    let latentFactor: Double
    let outputFactor: Double
    switch prediction {
    case .epsilon:
      // clean = (x - noise · output) / signal
      latentFactor = signalThere / signal
      outputFactor = noiseThere - signalThere * noise / signal
    case .vPrediction:
      // clean = signal · x - noise · output, the noise itself = signal · output + noise · x
      latentFactor = signalThere * signal + noiseThere * noise
      outputFactor = noiseThere * signal - signalThere * noise
    case .sample:
      // noise itself = (x - signal · output) / noise, and at the clean end there may be none to
      // divide by.
      let divisor = max(noise, (1 - alphaBars[0]).squareRoot())
      latentFactor = noiseThere / divisor
      outputFactor = signalThere - noiseThere * signal / divisor
    }
    return Move(latentFactor: Float(latentFactor), outputFactor: Float(outputFactor))
  }
}
