import CAVUtil
import Testing

@testable import Video

@Suite("Pixel formats and sizes") struct FormatTests {
  @Test(
    "a frame has the bytes that ffmpeg writes for it",
    arguments: [
      ("yuv420p", 17 * 33 + 2 * 9 * 17), ("nv12", 17 * 33 + 2 * 9 * 17),
      ("yuv422p", 17 * 33 + 2 * 9 * 33),
      ("yuv444p10le", 17 * 33 * 6), ("p010le", 2 * (17 * 33 + 2 * 9 * 17)), ("gray", 17 * 33),
      ("gray16le", 17 * 33 * 2), ("rgb24", 17 * 33 * 3), ("bgr0", 17 * 33 * 4),
      ("gbrp", 17 * 33 * 3),
      ("yuva420p", 2 * 17 * 33 + 2 * 9 * 17), ("monob", 3 * 33), ("yuv411p", 17 * 33 + 2 * 5 * 33),
    ])
  func frameSizes(name: String, byteCount: Int) throws {
    let layout = FrameLayout(
      size: try PictureSize(width: 17, height: 33), pixelFormat: try PixelFormat(named: name))
    #expect(layout.byteCount == byteCount)
  }

  @Test("what no sample has of a pixel is set, so that a reader that takes it for alpha sees it")
  func unusedBits() throws {
    let unused: [(String, [UInt8])] = [
      ("rgb0", [0, 0, 0, 0xff]), ("0bgr", [0xff, 0, 0, 0]), ("x2rgb10le", [0, 0, 0, 0xc0]),
      ("rgba", [0, 0, 0, 0]),
    ]
    for (name, bytes) in unused {
      let format = try stream(name, 3, 2)
      encoded([Float](repeating: 0, count: 18), format).withBytes {
        #expect(Array($0) == (0..<6).flatMap { _ in bytes }, "\(name)")
      }
    }
  }

  @Test(
    "a format that cannot be used says why",
    arguments: [
      ("yuv421p", "unknown"), ("", "unknown"), ("vaapi", "live on a device"), ("pal8", "palette"),
      ("bayer_rggb8", "mosaic"), ("uyyvyy411", "cannot be both read and written"),
      ("uyyvyy411", "-pix_fmt yuv411p"), ("y210le", "-pix_fmt yuv422p10le"),
    ])
  func refused(name: String, reason: String) {
    let error = #expect(throws: VideoError.self) { try PixelFormat(named: name) }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
  }

  @Test("of floating point, singles in planes can be used and nothing else")
  func floatingPoint() throws {
    func component(step: Int32, depth: Int32) -> AVComponentDescriptor {
      var component = AVComponentDescriptor()
      (component.step, component.depth) = (step, depth)
      return component
    }
    let single = component(step: 4, depth: 32)
    #expect(SampleComponent.areSingles([single, single, single]))
    // As newer versions of libavutil describe gbrpf16le and rgbf32le.
    for other in [component(step: 2, depth: 16), component(step: 12, depth: 32)] {
      #expect(!SampleComponent.areSingles([other, other, other]))
    }
    for name in ["grayf32le", "gbrpf32be", "gbrapf32le"] {
      #expect(try PixelFormat(named: name).components.map(\.depth).max() == 32)
    }
  }

  @Test("a format of floating point that can be used has singles in planes")
  func floatingPointHere() throws {
    var described: UnsafePointer<AVPixFmtDescriptor>?
    while let next = av_pix_fmt_desc_next(described) {
      described = next
      guard Int32(truncatingIfNeeded: next.pointee.flags) & AV_PIX_FMT_FLAG_FLOAT != 0,
        let format = try? PixelFormat(named: String(cString: next.pointee.name))
      else { continue }
      #expect(format.components.allSatisfy { $0.depth == 32 && $0.step == 4 }, "\(format)")
    }
  }

  @Test("sizes and rates are read as people write them")
  func parsing() throws {
    #expect(try PictureSize(parsing: "1920x1080").description == "1920x1080")
    #expect(try Ratio(parsing: "30000/1001") == Ratio(30000, 1001))
    #expect(try Ratio(parsing: "25:1") == Ratio(25, 1))
    #expect(try Ratio(parsing: "25") == Ratio(25, 1))
    for text in [
      "", "x", "10", "10x", "10x10x10", "0x4", "-1x4", "1920 x1080", "99999x1", "+4x4", "٣x4",
    ] {
      #expect(throws: VideoError.self, "\(text)") { try PictureSize(parsing: text) }
    }
    for text in ["", "0", "25/0", "1/2/3", "a", "25.0", "-25"] {
      #expect(throws: VideoError.self, "\(text)") { try Ratio(parsing: text) }
    }
  }

  @Test("the memory of frames that are gone is used again")
  func pool() throws {
    let pool = FramePool(
      FrameLayout(
        size: try PictureSize(width: 64, height: 64), pixelFormat: try PixelFormat(named: "gray")))
    func address(_ frame: Frame) -> Int { frame.withBytes { Int(bitPattern: $0.baseAddress!) } }
    let first = address(try pool.frame(number: 0))
    #expect(address(try pool.frame(number: 1)) == first)
    let (one, other) = (try pool.frame(number: 2), try pool.frame(number: 3))
    #expect(address(one) != address(other))
  }

  @Test("Memory that a burst took is given back when it is over")
  func poolAfterBurst() throws {
    let pool = FramePool(
      FrameLayout(
        size: try PictureSize(width: 4, height: 4), pixelFormat: try PixelFormat(named: "gray")))
    var burst = try (0..<20).map { try pool.frame(number: $0) }
    burst = []
    #expect(pool.spareCount == 20)
    // Two at once from now on.
    var held = try pool.frame(number: 0)
    for number in 0..<2 * FramePool.reviewPeriod { held = try pool.frame(number: number) }
    #expect(held.number == 2 * FramePool.reviewPeriod - 1 && burst.isEmpty)
    #expect(pool.spareCount == 1)
  }
}
