import Kernels

/// The window before the networks: each frame averaged along the motion with those on either side,
/// and where it stands still with what has left the window, so that less noise is left for the
/// networks than any single frame has. Rainy frames are fused by rank; these, compressed and
/// enlarged ones beside the frame as it came, where the networks see two pictures.
///
/// Frames leave in their order, each when the later ones that it reads have come.
final class FrameFusion {
  private let fusion: any MotionFusion
  /// The farthest earlier and later frame that one reads.
  private let behind, ahead: Int
  /// How far from it those are that it reads.
  private let distances: [Int]
  private let noise: Float
  private let ranks: Bool
  /// Whether the fused picture is the second one.
  private let isBeside: Bool
  /// Of what no frame reads any more, worth ``historyCount`` frames at most.
  private let history: (any FusionHistory)?
  private let historyCount: Int
  /// Oldest first: those that were given and are still read, and those that are still to be given.
  private var pictures: [any FusionPicture] = []
  private var free: [any FusionPicture] = []
  /// Those that the next one reads, and it.
  private var read: [any FusionPicture] = []
  /// The next that is given.
  private var next = 0
  /// What ``advance()`` gave last, as the frames that are taken: the picture that is restored, and
  /// beside it another of the same frame, where that is wanted; else empty. One of the two is the
  /// fused one, the other the frame as it came.
  private(set) var picture, second: [Float]

  /// - Parameters:
  ///   - frameCount: elements of a frame.
  ///   - givesSecondPicture: whether ``advance()`` gives two.
  init(
    _ options: RestorationOptions, _ fusion: any MotionFusion, frameCount: Int,
    givesSecondPicture: Bool
  ) {
    self.fusion = fusion
    behind = options.fusionBehind
    ahead = options.fusionAhead
    distances = options.fusionDistances
    noise = Float(options.fusionNoise)
    ranks = options.task.isFusedByRank
    isBeside = options.task.isFusedBeside && givesSecondPicture
    historyCount = options.history
    history = historyCount > 0 ? fusion.makeHistory() : nil
    picture = Array(repeating: 0, count: frameCount)
    second = givesSecondPicture ? picture : []
  }

  /// Frames that were taken and not yet given.
  var heldCount: Int { pictures.count - next }

  func take(_ rgb: [Float]) {
    let picture = free.popLast() ?? fusion.makePicture()
    fusion.load(rgb, into: picture)
    pictures.append(picture)
  }

  /// Whether the next frame has all that it reads.
  /// - Parameter ending: whether nothing comes after those that are there.
  func canAdvance(ending: Bool) -> Bool { heldCount > (ending ? 0 : ahead) }

  /// Gives the next frame.
  /// - Precondition: ``canAdvance(ending:)``, and behind every frame that was taken all were given
  ///   that could be: no more are held than this one still reads.
  func advance() {
    precondition(heldCount <= ahead + 1)
    if isBeside {
      fusion.store(pictures[next], into: &picture)
      fuse(into: &second)
    } else {
      fuse(into: &picture)
      if !second.isEmpty { fusion.store(pictures[next], into: &second) }
    }
    if next == behind { release() } else { next += 1 }
  }

  private func fuse(into fused: inout [Float]) {
    read.removeAll(keepingCapacity: true)
    var place = 0
    for (index, picture) in pictures.enumerated() {
      if index == next {
        place = read.count
      } else if !distances.contains(abs(index - next)) {
        continue
      }
      read.append(picture)
    }
    if ranks {
      fusion.fuseByRank(read, at: place, into: &fused)
    } else {
      fusion.fuse(read, at: place, noise: noise, history: history, into: &fused)
    }
  }

  /// No frame reads the oldest picture any more.
  private func release() {
    let picture = pictures.removeFirst()
    if let history { fusion.take(picture, into: history, most: historyCount) }
    free.append(picture)
  }

  /// Gives one blank frame that has all that it reads, a history, too, so that the memory for that
  /// is there.
  /// - Returns: what it took.
  /// - Precondition: nothing is held or remembered.
  func rehearse() -> Duration {
    precondition(pictures.isEmpty)
    let blank = [Float](repeating: 0, count: picture.count)
    for _ in 0...behind + ahead { take(blank) }
    release()
    next = behind
    let duration = ContinuousClock().measure {
      take(blank)
      advance()
    }
    next = pictures.count
    forget()
    return duration
  }

  /// What comes afterwards reads nothing of what came before.
  /// - Precondition: all was given.
  func forget() {
    precondition(heldCount == 0)
    free += pictures
    pictures.removeAll(keepingCapacity: true)
    if let history { fusion.clear(history) }
    next = 0
  }
}
