import Testing

@testable import Video

@Suite("Pictures worked on by several threads") struct ThreadTests {
  /// Also more threads than lines.
  private static let sizes = [(33, 17), (16, 40), (2, 3), (1, 1)]

  /// What a frame's way in and out makes of it, by so many threads.
  private func through(
    _ source: Frame, _ format: StreamFormat, threads: Int
  ) throws -> (restored: [UInt32], frame: Frame) {
    var picture: [Float] = []
    try FrameDecoder(format, threads: threads).decode(source, into: &picture)
    var restored = picture.map { $0 * 0.9 + 3 }
    var excess = RangeExcess(format.size, threads: threads)
    excess.giveBack(picture, to: &restored)
    let encoder = try FrameEncoder(format, from: format, threads: threads)
    return (restored.map(\.bitPattern), try encoder.encode(restored, from: source))
  }

  private func expectTheSame(_ format: StreamFormat, seed: UInt64 = 1) throws {
    let source = frame(format, noise(format.layout.byteCount, seed: seed))
    let (alone, together) = (
      try through(source, format, threads: 1), try through(source, format, threads: 5)
    )
    #expect(
      alone.restored == together.restored && same(alone.frame, together.frame), "\(format)")
  }

  @Test("a frame's way in and out is the same, in every format that is taken")
  func frames() throws {
    for pixelFormat in PixelFormat.all {
      for (width, height) in Self.sizes {
        try expectTheSame(try stream(pixelFormat.name, width, height))
      }
    }
  }

  /// So large that no thread is done before the next begins.
  @Test("no thread writes where another does", arguments: ["yuv420p", "yuv444p10le", "gray"])
  func large(name: String) throws {
    for seed in 1...3 { try expectTheSame(try stream(name, 960, 540), seed: UInt64(seed)) }
  }

  @Test("an enlarged frame's way out is the same, alpha and what lies beyond with it")
  func enlarged() throws {
    for name in ["yuva420p", "rgba", "yuv444p", "gray10le"] {
      for (width, height) in Self.sizes {
        let format = try stream(name, width, height)
        let larger = try format.enlarged(by: 4)
        let source = frame(format, noise(format.layout.byteCount))
        func through(_ threads: Int) throws -> ([Float], Frame) {
          var (picture, restored): ([Float], [Float]) = ([], [])
          try FrameDecoder(format, threads: threads).decode(source, into: &picture)
          let enlargement = BicubicEnlargement(
            width: width, height: height, factor: 4, threads: threads)
          enlargement(picture, into: &restored)
          var excess = EnlargedExcess(format.size, factor: 4, threads: threads)
          excess.giveBack(picture, to: &restored)
          let encoder = try FrameEncoder(larger, from: format, threads: threads)
          return (restored, try encoder.encode(restored, from: source))
        }
        let (alone, together) = (try through(1), try through(5))
        #expect(alone.0 == together.0 && same(alone.1, together.1), "\(format)")
      }
    }
  }
}
