import Kernels

extension TDMPipeline {
  /// Has fusion and every network run once on a blank frame, so that the first frame finds its
  /// memory there and everything computed that depends on prompts only. No result depends on it.
  /// - Precondition: no frame is held.
  func warmUp() throws {
    _ = course.fusion?.rehearse()
    try onBlankFrames(1) { blank in
      try encode(0, of: blank[0])
      try invertOnce(blank[0])
      try sampleOnce(step: 0, blank, core: 1, window: nil)
      try give()
    }
    try requireFinite(latent: group.outputs[0], "a blank frame, before the first")
  }

  /// Measures each stage: one evaluation of every kind, times how often it is needed. No result
  /// depends on it.
  ///
  /// With a chunk of 0 (the whole clip) a group of one frame stands for the clip's.
  /// - Precondition: no frame is held.
  func rehearse() throws -> Rehearsal {
    let clock = ContinuousClock()
    var rehearsal = Rehearsal(
      fuse: .zero, encode: .zero, invert: .zero, sample: .zero, decode: .zero,
      groupSize: options.heldCount,
      emitted: max(options.chunk, 1))
    try onBlankFrames(rehearsal.groupSize) { blanks in
      // The first round finds memory that is new to the process, and computes what is needed only
      // once.
      for _ in 0..<2 {
        rehearsal.fuse = course.fusion?.rehearse() ?? .zero
        rehearsal.encode = try clock.measure { try encode(0, of: blanks[0]) } * tiling.count
        rehearsal.invert =
          options.start == .noise
          ? .zero
          : try clock.measure { try invertOnce(blanks[0]) } * course.inversion.moves.count
            * tiling.count
        // The last move computes no more of the lookahead than the core's windows read.
        let last = course.sampling.moves.count - 1
        rehearsal.sample = .zero
        for (step, count) in [(0, last), (last, 1)] where count > 0 {
          rehearsal.sample +=
            try clock.measure {
              try sampleOnce(
                step: step, blanks, core: rehearsal.emitted, window: rehearsedWindow(blanks.count))
            } * count * tiling.count
        }
        rehearsal.decode = try clock.measure { try give() } * tiling.count
        if course.veil != nil {
          rehearsal.evenVeil =
            rehearsal.encode + rehearsal.invert + rehearsal.sample + rehearsal.decode
        }
      }
    }
    return rehearsal
  }

  private func onBlankFrames(_ count: Int, _ body: ([HeldFrame]) throws -> Void) throws {
    precondition(heldFrameCount == 0, "a stream is under way")
    let frames = (0..<count).map { _ in queue.takeFree(from: networks) }
    defer { for frame in frames { queue.putBack(frame) } }
    group.reserve(count, guided: options.isGuided, from: networks)
    picture.load(Array(repeating: 0, count: tiling.pictureCount))
    second?.load(Array(repeating: 0, count: tiling.pictureCount))
    try body(frames)
  }

  private func invertOnce(_ frame: HeldFrame) throws {
    guard options.start == .inversion else { return }
    try course.inversion.evaluate(
      networks, frame.latents[0], guide: frame.guides[0], into: output)
  }

  private func sampleOnce(
    step: Int, _ frames: [HeldFrame], core: Int, window: WindowPass?
  ) throws {
    try course.sampling.evaluate(
      step: step, networks, frames.map { $0.latents[0] }, core: core,
      guides: frames.map { $0.guides[0] }, window: window, in: group)
  }

  private func give() throws { try networks.decode(output, into: picture) }

  /// What a group reads of itself; nothing is kept.
  private func rehearsedWindow(_ count: Int) -> WindowPass? {
    guard let window = course.window, let cache = course.cache else { return nil }
    return WindowPass(
      sources: window.sources(for: 0..<count, scene: 0), stores: [], cache: cache, pass: 0)
  }
}
