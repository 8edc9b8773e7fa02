/// Networks for pictures as large as memory allows: the whole, where it fits, or tiles.
///
/// What gives way, in this order: the picture's wholeness, in the way that computes the fewest
/// pixels twice. Where even the smallest tiles do not fit, nothing else does: how the frames are
/// restored is the user's to change.
struct MemoryPlan {
  let tiling: Tiling
  let networks: any PipelineNetworks
  let estimate: MemoryEstimate

  /// - Parameter makeNetworks: for pictures of a tiling's tiles.
  /// - Throws: ``InsufficientMemory``, or what `makeNetworks` throws.
  init(
    _ options: RestorationOptions, _ canvas: Canvas, _ limits: MemoryLimits,
    makeNetworks: (Tiling) throws -> any PipelineNetworks
  ) throws {
    var tiling = Tiling(canvas)
    var networks = try makeNetworks(tiling)
    networks.discardLeftovers()
    var planned = PlannedMemory(options, tiling, networks)
    var exact = planned.estimate(tiling)
    if exact.features > limits.features ?? .max {
      // Tiles overlap: they have more features than the whole.
      throw InsufficientMemory(exact, limits, canvas, options)
    }
    func plan(_ candidate: Tiling) throws {
      tiling = candidate
      networks = try makeNetworks(candidate)
      networks.discardLeftovers()
      planned = PlannedMemory(options, candidate, networks)
      exact = planned.estimate(candidate)
    }
    // Planning takes no memory for activations, so that what is too large can be planned, and tells
    // exactly what it would take. From there on other sizes are guessed by their area before they
    // are planned.
    if !exact.fits(limits) {
      var (smallest, least) = (tiling, exact.total)
      for candidate in Tiling.candidates(canvas) where candidate.count > 1 {
        let guess = planned.estimate(candidate)
        if guess.total < least { (smallest, least) = (candidate, guess.total) }
        guard guess.fits(limits) else { continue }
        try plan(candidate)
        if exact.fits(limits) { break }
      }
      // Guesses err either way: what is refused, and told how much would do, is no guess.
      if !exact.fits(limits), smallest.count > 1 { try plan(smallest) }
    }
    guard exact.fits(limits) else { throw InsufficientMemory(exact, limits, canvas, options) }
    self.tiling = tiling
    self.networks = networks
    estimate = exact
  }
}
