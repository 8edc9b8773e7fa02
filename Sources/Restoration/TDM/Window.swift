import Kernels

/// The sliding window: whose features each frame reads (attention's keys and values, or latents),
/// and which are kept for later.
///
/// Frames of one group go through the network side by side: the *core*, which will be emitted, and
/// the *lookahead* behind it, which is there for the core's windows only. A frame reads the frames
/// within `radius` of it. Those in its group are computed in the same pass; earlier ones left their
/// features in the cache when they were core themselves. Frames that do not exist, or that lie
/// behind a scene cut, are left out.
///
/// Reference: TDM, eq. 7-9.
struct Window: Sendable, Equatable {
  /// What a frame reads besides itself.
  enum Reach: Sendable, Equatable {
    /// The frames within a radius of 1 or more.
    case near(radius: Int)
    /// Only the scene's first frame (Text2Video-Zero's attention).
    case anchor
  }

  let reach: Reach

  /// Nil where every frame reads itself alone.
  init?(_ options: RestorationOptions) {
    switch options.attention {
    case .window where options.radius > 0: reach = .near(radius: options.radius)
    case .first: reach = .anchor
    case .window, .self: return nil
    }
  }

  /// Frames whose features are kept for later groups.
  func keptCount(_ options: RestorationOptions) -> Int {
    // One group holds the whole clip: nobody comes later to read what was kept.
    options.chunk == 0 ? 0 : slotCount
  }

  /// Whether a frame reads later ones: where none does, those beside the chunk would cost memory
  /// and time for nothing.
  var readsAhead: Bool {
    switch reach {
    case .near: true
    case .anchor: false
    }
  }

  /// Frames whose features are kept at a time, for each pass.
  var slotCount: Int {
    switch reach {
    case .near(let radius): radius
    case .anchor: 1
    }
  }

  /// Whose features the frames of a group read.
  /// - Parameters:
  ///   - group: numbers of the frames side by side.
  ///   - scene: the number of the first frame since the last cut. All frames from here to the group
  ///     are in the cache, as far back as they can be read.
  func sources(for group: Range<Int>, scene: Int) -> [[WindowPass.Source]] {
    group.map { frame in
      let window =
        switch reach {
        case .near(let radius):
          max(scene, frame - radius)..<min(group.upperBound, frame + radius + 1)
        case .anchor: scene..<scene + 1
        }
      return window.map { neighbour in
        let offset = neighbour - frame
        return group.contains(neighbour)
          ? .member(neighbour - group.lowerBound, offset: offset)
          : .cached(slot: slot(of: neighbour), offset: offset)
      }
    }
  }

  /// The frames of a group whose features later groups will read, by their place in it.
  ///
  /// A frame takes the slot of the one `radius` before it, which nobody reads any more.
  /// - Parameter core: numbers of the frames that are emitted.
  func stores(of core: Range<Int>, scene: Int) -> [(member: Int, slot: Int)] {
    switch reach {
    case .near(let radius):
      core.suffix(radius).map { (member: $0 - core.lowerBound, slot: slot(of: $0)) }
    case .anchor:
      core.contains(scene) ? [(member: scene - core.lowerBound, slot: slot(of: scene))] : []
    }
  }

  private func slot(of frame: Int) -> Int { frame % slotCount }
}
