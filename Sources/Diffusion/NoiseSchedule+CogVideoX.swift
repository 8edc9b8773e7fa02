import ModelFiles

extension NoiseSchedule {
  /// The schedule of a CogVideoX model, in double as its scheduler computes it: first the ratio of
  /// signal to noise is divided by a factor, then √alphaBar is brought to zero at its end.
  ///
  /// Reference: Yang et al. 2025 (CogVideoX), appendix; Esser et al. 2024, section 5.3.2; Lin et
  /// al. 2023, algorithm 1.
  /// - Throws: where the file's numbers make no schedule.
  public init(_ config: CogVideoXSchedulerConfig) throws(ModelError) {
    var alphaBars: [Double] = []
    var product = 1.0
    for beta in Betas.makeExact(config) {
      product *= 1 - beta
      alphaBars.append(product / (config.snrShiftScale + (1 - config.snrShiftScale) * product))
    }
    if config.rescaleBetasZeroSNR {
      let roots = alphaBars.map { $0.squareRoot() }
      let (first, last) = (roots[0], roots[roots.count - 1])
      if first > last {
        alphaBars = roots.map {
          let root = ($0 - last) * (first / (first - last))
          return root * root
        }
      }
    }
    try self.init(
      alphaBars: alphaBars, setAlphaToOne: config.setAlphaToOne, prediction: .vPrediction)
  }
}

extension Betas {
  /// The betas of CogVideoX's scheduler: those that are linear in their roots in double, the others
  /// in float32.
  fileprivate static func makeExact(_ config: CogVideoXSchedulerConfig) -> [Double] {
    let count = config.trainStepCount
    guard config.betaSchedule == .scaledLinear else {
      return make(
        config.betaSchedule, from: config.betaStart, to: config.betaEnd, count: count
      ).map { Double($0) }
    }
    let (start, end) = (config.betaStart.squareRoot(), config.betaEnd.squareRoot())
    let step = (end - start) / Double(max(count - 1, 1))
    return (0..<count).map { index in
      let root =
        index < (count + 1) / 2
        ? start + step * Double(index) : end - step * Double(count - 1 - index)
      return root * root
    }
  }
}
