/// What a restorer will hold at most, in bytes, beside the networks' weights: known before the first frame.
///
/// With a chunk of 0 (the whole clip) there is no such bound: the numbers are then those of one frame, and every further
/// frame of the clip adds as much.
public struct MemoryEstimate: Sendable, Equatable {
  /// Keys and values that windows read later.
  public let features: Int
  /// Activations of the frames that are side by side.
  public let activations: Int
  /// Frames between arrival and departure: latents, conditions, pictures.
  public let frames: Int

  public var total: Int { features + activations + frames }

  init(
    _ options: RestorationOptions, networks: NetworkMemory, featureBytes: Int, canvas: Canvas
  ) {
    let held = options.chunk == 0 ? 1 : options.chunk + options.lookahead
    let latents = options.isGuided ? 4 : 3
    var frame = latents * networks.latent
    if options.usesControl { frame += networks.condition }
    let valueBytes = MemoryLayout<Float>.size
    if options.colorFix != .none { frame += canvas.frameCount * valueBytes }
    features = featureBytes
    activations = max(held * networks.activationsPerFrame, networks.activationsOfOneFrame)
    frames = held * frame + (2 * canvas.pictureCount + canvas.frameCount) * valueBytes
  }
}
