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
    var planned = PlannedMemory(options, tiling, networks)
    var smallest = planned.estimate(tiling)
    if smallest.features > limits.features ?? .max {
      // Tiles overlap: they have more features than the whole.
      throw InsufficientMemory(smallest, limits, canvas)
    }
    // Planning takes no memory for activations, so that what is too large can be planned, and tells
    // exactly what it would take. From there on other sizes are guessed by their area before they
    // are planned.
    if !smallest.fits(limits) {
      for candidate in Tiling.candidates(canvas) where candidate.count > 1 {
        let guess = planned.estimate(candidate)
        if guess.total < smallest.total { smallest = guess }
        guard guess.fits(limits) else { continue }
        tiling = candidate
        networks = try makeNetworks(tiling)
        networks.discardLeftovers()
        planned = PlannedMemory(options, tiling, networks)
        smallest = planned.estimate(tiling)
        if smallest.fits(limits) { break }
      }
    }
    guard smallest.fits(limits) else { throw InsufficientMemory(smallest, limits, canvas) }
    self.tiling = tiling
    self.networks = networks
    estimate = smallest
  }
}
