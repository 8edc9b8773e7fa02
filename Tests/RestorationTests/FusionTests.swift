import Testing

@testable import Restoration

/// Which frames are fused with which, on the plain mean in place of the motion's.
@Suite("Fusion before the networks")
struct FusionTests {
  private let canvas = PlainStream.canvas

  private func options(
    _ fusion: Int, chunk: Int, lookahead: Int,
    _ change: (inout RestorationOptions) -> Void = { _ in }
  ) -> RestorationOptions {
    PlainStream.options {
      $0.fusion = fusion
      $0.chunk = chunk
      $0.lookahead = lookahead
      change(&$0)
    }
  }

  private func makeRestorer(
    _ options: RestorationOptions, _ canvas: Canvas = PlainStream.canvas
  ) throws -> TDMPipeline {
    try TDMPipeline(schedule: PlainStream.schedule(), options: options, canvas: canvas) {
      PlainNetworks($0)
    }
  }

  /// Where the frames are, seen from each, that it is averaged with, and itself, first to last.
  private func offsets(_ fusion: Int, chunk: Int, lookahead: Int) -> [Int] {
    let distances = [1, 2, 4, 8, 16].prefix(fusion)
    let ahead = distances.filter { chunk == 0 || $0 <= lookahead }
    return distances.reversed().map { -$0 } + [0] + ahead
  }

  /// The mean of the frames at those offsets from each, as far as there are any.
  private func fused(_ frames: [[Float]], _ offsets: [Int]) -> [[Float]] {
    frames.indices.map { frame in
      let near = offsets.map { frame + $0 }.filter(frames.indices.contains).map { frames[$0] }
      return frames[frame].indices.map { index in
        near.reduce(0) { $0 + $1[index] } / Float(near.count)
      }
    }
  }

  private func largestDifference(_ a: [[Float]], _ b: [[Float]]) -> Float {
    zip(a.joined(), b.joined()).map { abs($0 - $1) }.max() ?? 0
  }

  @Test("gives what the networks would give for frames fused beforehand")
  func equalsFusedInput() throws {
    for (fusion, chunk, lookahead) in [
      (2, 0, 0), (2, 1, 2), (3, 1, 0), (1, 4, 3), (3, 2, 3), (5, 2, 2),
    ] {
      for count in [0, 1, 2, 5, 12] {
        let frames = PlainStream.frames(count)
        let restored = try makeRestorer(options(fusion, chunk: chunk, lookahead: lookahead))
          .restore(frames)
        let expected = try makeRestorer(options(0, chunk: chunk, lookahead: lookahead))
          .restore(fused(frames, offsets(fusion, chunk: chunk, lookahead: lookahead)))
        #expect(restored.count == count)
        #expect(
          largestDifference(restored, expected) < 0.05,
          "\(fusion), \(chunk), \(lookahead): \(count)")
      }
    }
  }

  @Test("averages with as many frames again as the history counts, of those that left the window")
  func history() throws {
    for (fusion, chunk, lookahead, history) in [
      (2, 1, 2, 5), (2, 1, 0, 5), (3, 0, 0, 20), (1, 4, 3, 1), (0, 1, 0, 4), (0, 2, 1, 3),
    ] {
      let frames = PlainStream.frames(12)
      let restored = try makeRestorer(
        options(fusion, chunk: chunk, lookahead: lookahead) { $0.history = history }
      ).restore(frames)
      let near = offsets(fusion, chunk: chunk, lookahead: lookahead)
      let expected = try makeRestorer(options(0, chunk: chunk, lookahead: lookahead))
        .restore(fused(frames, (near[0] - history..<near[0]) + near))
      #expect(
        largestDifference(restored, expected) < 0.05,
        "\(fusion), \(chunk), \(lookahead), \(history)")
    }
  }

  /// What the networks are shown of each frame.
  private func shown(
    _ frames: [[Float]], _ options: RestorationOptions, seesBoth: Bool
  ) throws -> (pictures: [[Float]], seconds: [[Float]]) {
    let networks = PlainNetworks(Tiling(canvas), seesSecondPicture: seesBoth)
    let restorer = try TDMPipeline(
      schedule: PlainStream.schedule(), options: options, canvas: canvas
    ) { _ in networks }
    _ = try restorer.restore(frames)
    let seconds = networks.embedded.compactMap(\.second)
    #expect(networks.embedded.count == frames.count)
    #expect(seconds.count == (seesBoth ? frames.count : 0))
    return (networks.embedded.map(\.picture), seconds)
  }

  @Test("shows the ControlNet the frame that it fused as it came, where it sees both")
  func asTheyCame() throws {
    for (fusion, chunk, lookahead) in [(0, 1, 2), (2, 0, 0), (2, 1, 2), (3, 1, 0), (4, 3, 1)] {
      let frames = PlainStream.frames(7)
      let shown = try shown(
        frames, options(fusion, chunk: chunk, lookahead: lookahead), seesBoth: true)
      let seen = fused(frames, offsets(fusion, chunk: chunk, lookahead: lookahead))
      #expect(shown.seconds == frames.map(asPicture))
      #expect(largestDifference(shown.pictures, seen.map(asPicture)) < 1e-5)
    }
  }

  /// Of each value, the second lowest of those that are near.
  private func ranked(
    _ frames: [[Float]], _ fusion: Int, chunk: Int, lookahead: Int
  ) -> [[Float]] {
    let ahead = chunk == 0 ? fusion : min(fusion, lookahead)
    return frames.indices.map { frame in
      let near = frames[max(0, frame - fusion)...min(frame + ahead, frames.count - 1)]
      if near.count < 3 { return frames[frame] }
      return frames[frame].indices.map { index in near.map { $0[index] }.sorted()[1] }
    }
  }

  @Test(
    "fuses rainy frames by rank, averages enlarged and compressed ones, and shows them so beside as they came, where both are seen",
    arguments: [RestorationTask.derain, .superres, .deartifact])
  func beside(task: RestorationTask) throws {
    for (fusion, chunk, lookahead) in [(2, 0, 0), (2, 1, 2), (3, 1, 0), (4, 3, 1)] {
      let frames = PlainStream.frames(7)
      let course = options(fusion, chunk: chunk, lookahead: lookahead) { $0.task = task }
      let made =
        task == .derain
        ? ranked(frames, fusion, chunk: chunk, lookahead: lookahead)
        : fused(frames, offsets(fusion, chunk: chunk, lookahead: lookahead))
      let both = try shown(frames, course, seesBoth: true)
      #expect(both.pictures == frames.map(asPicture), "\(fusion), \(chunk)")
      #expect(largestDifference(both.seconds, made.map(asPicture)) < 1e-5, "\(fusion), \(chunk)")
      let one = try shown(frames, course, seesBoth: false)
      #expect(largestDifference(one.pictures, made.map(asPicture)) < 1e-5, "\(fusion), \(chunk)")
    }
  }

  private func asPicture(_ frame: [Float]) -> [Float] {
    let tiling = Tiling(canvas)
    var picture = [Float](repeating: 0, count: tiling.pictureCount)
    tiling.cut(0, from: frame, into: &picture)
    return picture
  }

  @Test("has a frame wait for as many more frames as it reads ahead")
  func latency() throws {
    for (fusion, chunk, lookahead, reads) in [(2, 1, 2, 2), (2, 1, 0, 0), (4, 3, 3, 2)] {
      let restorer = try makeRestorer(options(fusion, chunk: chunk, lookahead: lookahead))
      let latency = chunk + lookahead + reads
      #expect(restorer.options.latency == latency)
      var left = 0
      for (index, frame) in PlainStream.frames(20).enumerated() {
        try restorer.push(frame) { _ in left += 1 }
        #expect(left == max(0, index + 1 - (latency - chunk)) / chunk * chunk)
        #expect(restorer.heldFrameCount == index + 1 - left)
      }
      try restorer.finish { _ in left += 1 }
      #expect(left == 20)
    }
  }

  @Test("waits for as much of the lookahead as it reads where no window reads any")
  func latencyWithoutWindow() throws {
    let restorer = try makeRestorer(options(2, chunk: 1, lookahead: 3) { $0.radius = 0 })
    #expect(restorer.options.latency == 3)
    var left = 0
    for (index, frame) in PlainStream.frames(9).enumerated() {
      try restorer.push(frame) { _ in left += 1 }
      #expect(left == max(0, index - 1))
    }
  }

  @Test("reads nothing across the end of a clip, a change of options or a cut")
  func boundaries() throws {
    let course = options(3, chunk: 1, lookahead: 2) { $0.history = 6 }
    let clips = [PlainStream.frames(5), PlainStream.frames(4, seed: 50)]
    let apart = try clips.flatMap { try makeRestorer(course).restore($0) }
    let restorer = try makeRestorer(course)
    #expect(try clips.flatMap { try restorer.restore($0) } == apart)

    let other = options(1, chunk: 2, lookahead: 1)
    var changed: [[Float]] = []
    let changing = try makeRestorer(course)
    for frame in clips[0] { try changing.push(frame) { changed.append($0) } }
    try changing.change(to: other, emit: { changed.append($0) })
    changed += try changing.restore(clips[1])
    #expect(
      try changed == makeRestorer(course).restore(clips[0]) + makeRestorer(other).restore(clips[1]))

    let large = Canvas(height: 48, width: 64, multiple: PlainNetworks.multiple)
    let scenes = [UInt64(1), 2].map { seed in
      (0..<6).map { Scene(seed: seed).frame(large, movedBy: Float($0)) }
    }
    let cutting = try makeRestorer(
      options(3, chunk: 1, lookahead: 2) {
        $0.history = 6
        $0.sceneCut = .auto
      }, large)
    let cut = try cutting.restore(scenes.joined())
    #expect(cutting.statistics.sceneCuts == 1)
    #expect(try cut == scenes.flatMap { try makeRestorer(course, large).restore($0) })
  }

  @Test("is counted in the memory, and its time is told")
  func memoryAndTime() throws {
    let without = try makeRestorer(options(0, chunk: 1, lookahead: 2))
    let with = try makeRestorer(options(2, chunk: 1, lookahead: 2))
    // Five frames, and the one that is given.
    #expect(with.memory.frames - without.memory.frames == 6 * canvas.frameCount * 4)
    let remembering = try makeRestorer(options(2, chunk: 1, lookahead: 2) { $0.history = 9 })
    #expect(remembering.memory.frames - with.memory.frames == canvas.frameCount * 4)
    let seeing = try TDMPipeline(
      schedule: PlainStream.schedule(), options: with.options, canvas: canvas
    ) { PlainNetworks($0, seesSecondPicture: true) }
    // As it came, before the networks and as a picture of theirs.
    #expect(
      seeing.memory.frames - with.memory.frames
        == (canvas.frameCount + Tiling(canvas).pictureCount) * 4)
    // The frame as it came, a stretched picture and what is made of it, and another latent and
    // guide.
    let alone = try makeRestorer(options(0, chunk: 1, lookahead: 2) { $0.radius = 0 })
    let looking = try makeRestorer(
      options(0, chunk: 1, lookahead: 2) { ($0.radius, $0.evenVeil) = (0, true) })
    let networks = PlainNetworks(Tiling(canvas)).memory(sideBySide: 1)
    #expect(
      looking.memory.frames - alone.memory.frames
        == canvas.frameCount * 4 * looking.options.heldCount
        + EvenVeil.byteCount(frameCount: canvas.frameCount) + networks.latent + networks.guide)
    // Of more frames at a time, of fused ones and of those that read others, it is not looked for.
    for (fusion, chunk, radius) in [(0, 2, 0), (2, 1, 0), (0, 1, 2)] {
      let memories = try [false, true].map { looks in
        try makeRestorer(
          options(fusion, chunk: chunk, lookahead: 2) {
            ($0.radius, $0.evenVeil) = (radius, looks)
          }
        ).memory
      }
      #expect(memories[0] == memories[1])
    }
    #expect(try looking.rehearse().evenVeil > .zero && alone.rehearse().evenVeil == .zero)
    _ = try with.restore(PlainStream.frames(7))
    #expect(with.statistics.fuse.count == 7 && without.statistics.fuse.count == 0)
    try with.warmUp()
    #expect(try with.rehearse().fuse > .zero)
    #expect(
      try makeRestorer(options(2, chunk: 1, lookahead: 2)).restore(PlainStream.frames(7))
        == with.restore(PlainStream.frames(7)))
  }
}
