import TensorCore

/// What a restorer holds at most, in bytes: known before the first frame.
///
/// With a chunk of 0 (the whole clip) there is no such bound: the numbers are then those of one
/// frame, and every further frame of the clip adds ``furtherFrame``.
public struct MemoryEstimate: Sendable, Equatable, CustomStringConvertible {
  /// The networks' weights.
  public let weights: Int
  /// What evaluations work in, with the frames that are side by side.
  public let activations: Int
  /// Keys and values that windows read later.
  public let features: Int
  /// Frames between arrival and departure: latents, guides, pictures.
  public private(set) var frames: Int
  /// With a chunk of 0, what another frame adds; else 0.
  public private(set) var furtherFrame: Int
  /// How many tiles a picture is cut into, and their size in pixels.
  public let tileCount, tileWidth, tileHeight: Int

  public var total: Int { weights + activations + features + frames }

  /// - Parameters:
  ///   - networks: of the tiles, with ``RestorationOptions/heldCount`` frames side by side.
  ///   - activationsOfFrame: what another frame beside them adds.
  ///   - fusion: what stands before the networks, with its frames.
  init(
    _ options: RestorationOptions, _ tiling: Tiling, networks: NetworkMemory,
    activationsOfFrame: Int, fusion: Int
  ) {
    let valueBytes = MemoryLayout<Float>.size
    let held = options.heldCount
    let frameBytes = tiling.canvas.frameCount * valueBytes
    let isTiled = tiling.count > 1

    // What each frame holds from its arrival on, and what is there once for each frame of a tile's
    // group.
    var arrived = tiling.count * (networks.latent + networks.guide)
    if options.keepsInput { arrived += frameBytes }
    let sampled = (options.isGuided ? 3 : 2) * networks.latent
    let restored = isTiled ? (options.chunk == 0 ? 1 : options.chunk) : 1
    // The network's output in inversion, and a latent here; a tile's picture, on the device and
    // here.
    var once = 2 * networks.latent + networks.pictures + tiling.pictureCount * valueBytes
    if options.colorFix != .none { once += 2 * frameBytes }
    if options.looksForEvenVeil, !isTiled {
      once +=
        networks.latent + networks.guide
        + EvenVeil.byteCount(frameCount: tiling.canvas.frameCount)
    }
    if options.start == .noise {
      // The whole picture's latent.
      let area = tiling.canvas.paddedHeight * tiling.canvas.paddedWidth
      once += networks.latent * area / (tiling.height * tiling.width)
    }

    weights = networks.weights
    activations = networks.activations
    features =
      Window(options).map {
        networks.features * tiling.count * options.passCount * $0.keptCount(options)
      } ?? 0
    // A frame as it came, from before the fusion on.
    let mixed = options.amount == 1 ? 0 : frameBytes
    frames =
      held * (arrived + sampled) + restored * frameBytes + once + fusion
      + (held + options.fusionAhead) * mixed
    furtherFrame =
      options.chunk == 0
      ? arrived + sampled + activationsOfFrame + mixed + (isTiled ? frameBytes : 0) : 0
    tileCount = tiling.count
    tileWidth = tiling.width
    tileHeight = tiling.height
  }

  /// Of a picture in one piece, where what is held does not grow with the clip.
  init(weights: Int, activations: Int, frames: Int, tileWidth: Int, tileHeight: Int) {
    self.weights = weights
    self.activations = activations
    self.frames = frames
    features = 0
    furtherFrame = 0
    tileCount = 1
    self.tileWidth = tileWidth
    self.tileHeight = tileHeight
  }

  /// With frames that are held beside the restorer's own.
  func adding(frames: Int, furtherFrame: Int) -> MemoryEstimate {
    var estimate = self
    estimate.frames += frames
    if self.furtherFrame > 0 { estimate.furtherFrame += furtherFrame }
    return estimate
  }

  func fits(_ limits: MemoryLimits) -> Bool {
    total <= limits.total ?? .max && features <= limits.features ?? .max
  }

  /// `weights 9.8 MiB, activations 400.0 MiB, window features 0 bytes, frames 92.1 MiB`
  public var parts: String {
    "weights \(ByteCount(weights)), activations \(ByteCount(activations)), "
      + "window features \(ByteCount(features)), frames \(ByteCount(frames))"
  }

  public var description: String {
    var text = "\(ByteCount(total)) (\(parts))"
    if furtherFrame > 0 { text += ", and \(ByteCount(furtherFrame)) for every further frame" }
    if tileCount > 1 { text += ", in \(tileCount) tiles of \(tileWidth)x\(tileHeight)" }
    return text
  }
}
