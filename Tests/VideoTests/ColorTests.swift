import Testing

@testable import Video

/// Pixel formats of every kind that ffmpeg's users pass on.
let manyFormats = [
  "yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv410p", "yuv440p", "yuvj420p", "yuvj422p", "nv12",
  "nv21",
  "nv16", "nv24", "yuyv422", "uyvy422", "yuv420p9le", "yuv420p10le", "yuv422p10le", "yuv444p10le",
  "yuv420p10be", "yuv420p12le", "yuv422p12le", "yuv444p12le", "yuv420p14le", "yuv444p14be",
  "yuv420p16le",
  "yuv422p16be", "yuv444p16le", "p010le", "p010be", "p016le", "p210le", "p416le", "yuva420p",
  "yuva444p",
  "yuva422p10le", "yuva444p16be", "ayuv64le", "gray", "gray10le", "gray12be", "gray16le",
  "gray16be", "ya8",
  "ya16le", "rgb24", "bgr24", "rgba", "bgra", "argb", "abgr", "rgb0", "bgr0", "0rgb", "0bgr",
  "rgb48le",
  "rgb48be", "bgr48le", "rgba64le", "gbrp", "gbrp9le", "gbrp10le", "gbrp12be", "gbrp16le", "gbrap",
  "gbrap12le", "x2rgb10le", "x2bgr10le", "rgb565le", "rgb565be", "bgr555le", "rgb444le", "rgb8",
  "bgr8",
  "monow", "monob", "xyz12le", "gbrpf32le", "grayf32le",
]

@Suite("Colours there and back") struct ColorTests {
  @Test("rgb24 is given exactly, and rounded halves up")
  func exactRGB() throws {
    let format = try stream("rgb24", 17, 5)
    let bytes = noise(17 * 5 * 3)
    let rgb = decoded(frame(format, bytes), format)
    #expect(rgb == bytes.map(Float.init))
    #expect(encoded(rgb, format).withBytes { [UInt8]($0) } == bytes)
    let edges: [Float] = [
      -7, -0.5, 0.49, 0.5, 1.5, 254.49, 254.5, 255.4, 300, .nan, .infinity, -.infinity,
    ]
    let codes = encoded(edges, try stream("rgb24", 4, 1)).withBytes { [UInt8]($0) }
    #expect(codes == [0, 0, 0, 1, 2, 254, 255, 255, 255, 0, 255, 0])
  }

  @Test("floats that are no numbers, or far off, leave their neighbours alone")
  func notNumbers() throws {
    let format = try stream("grayf32le", 4, 1)
    let bytes = [Float.nan, .infinity, -1e30, 0.5].flatMap {
      withUnsafeBytes(of: $0.bitPattern.littleEndian, Array.init)
    }
    let rgb = decoded(frame(format, bytes), format)
    #expect(rgb == [0, 255, 0, 127.5].flatMap { [$0, $0, $0] })
  }

  @Test("constant colours come back as the same codes in every format", arguments: manyFormats)
  func constants(name: String) throws {
    for range in [ColorRange.limited, .full] {
      let format = try stream(name, 9, 7, range: range)
      // Quantized once, the codes must stay what they are.
      for color: [Float] in [
        [0, 0, 0], [255, 255, 255], [200, 30, 90], [17, 120, 66], [128, 128, 128], [250, 240, 1],
      ] {
        let picture = (0..<63).flatMap { _ in color }
        let once = encoded(picture, format)
        let rgb = decoded(once, format)
        let twice = encoded(rgb, format)
        // libswscale's CIE XYZ is not exact, floating point may differ in its last bit.
        let isSame = same(once, twice)
        #expect(isSame || name.hasPrefix("xyz") || name.contains("f32"), "\(range) \(color)")
        guard !name.hasPrefix("gray"), !name.hasPrefix("ya"), !name.hasPrefix("mono") else {
          continue
        }
        let depth = format.pixelFormat.components.map(\.depth).min() ?? 12
        // A code of luma and of each colour difference may be half a step off; the little blue
        // beside much red and green is lost in XYZ's 12 bits.
        let tolerance: Float =
          name.hasPrefix("xyz") ? 12 : depth >= 8 ? 2.2 : 255 / Float(1 << depth)
        let worst = zip(picture, rgb).map { abs($0 - $1) }.max()!
        #expect(worst <= tolerance, "\(color): \(worst)")
      }
    }
  }

  @Test("a picture without noise keeps more than 50 dB through every format of 8 bits and more")
  func scenes() throws {
    let picture = scenery(width: 97, height: 65)
    for name in manyFormats {
      let format = try stream(name, 97, 65)
      guard format.pixelFormat.components.allSatisfy({ $0.depth >= 8 }) else { continue }
      let once = encoded(picture, format)
      let twice = encoded(decoded(once, format), format)
      for component in format.pixelFormat.components.indices {
        let peak = Float(format.pixelFormat.components[component].largest)
        let kept = psnr(codes(once, component), codes(twice, component), peak: peak)
        #expect(kept > 50, "\(name), component \(component): \(kept) dB")
      }
    }
  }

  @Test("colour samples lie where the siting says", arguments: ChromaSiting.allCases)
  func siting(_ siting: ChromaSiting) throws {
    // On a ramp, a sample's value tells its place.
    let whole = try stream("yuv444p16le", 64, 64)
    let shared = try stream("yuv420p16le", 64, 64, siting: siting)
    var picture = [Float](repeating: 0, count: 3 * 64 * 64)
    for y in 0..<64 {
      for x in 0..<64 {
        let base = 3 * (y * 64 + x)
        picture[base] = 60 + 2 * Float(x)
        picture[base + 1] = 120
        picture[base + 2] = 60 + 2 * Float(y)
      }
    }
    let (all, halved) = (encoded(picture, whole), encoded(picture, shared))
    let right = siting == .center ? 1 : 0
    let below = siting == .topLeft ? 0 : 1
    for component in 1...2 {
      let (fine, coarse) = (codes(all, component), codes(halved, component))
      for y in 4..<28 {
        for x in 4..<28 {
          let sum =
            fine[2 * y * 64 + 2 * x] + fine[2 * y * 64 + 2 * x + right]
            + fine[(2 * y + below) * 64 + 2 * x] + fine[(2 * y + below) * 64 + 2 * x + right]
          // A luma step is 400 codes: this is a hundredth of it.
          #expect(abs(coarse[y * 32 + x] - sum / 4) < 4, "\(component): \(x) \(y)")
        }
      }
    }
    let back = decoded(halved, shared)
    for y in 8..<56 {
      for x in 8..<56 {
        for index in 3 * (y * 64 + x)..<3 * (y * 64 + x) + 3 {
          #expect(abs(back[index] - picture[index]) < 0.02, "\(x) \(y)")
        }
      }
    }
  }

  @Test("matrix and range are the stream's")
  func matrices() throws {
    for (matrix, red) in [(ColorMatrix.bt601, 0.299), (.bt709, 0.2126), (.bt2020, 0.2627)] {
      let limited = encoded([255, 0, 0], try stream("yuv444p", 1, 1, matrix: matrix))
      let full = encoded([255, 0, 0], try stream("yuv444p", 1, 1, matrix: matrix, range: .full))
      #expect(codes(limited, 0)[0] == Float((16 + 219 * red).rounded()))
      #expect(codes(limited, 2)[0] == 240)
      #expect(codes(full, 0)[0] == Float((255 * red).rounded()))
      #expect(codes(full, 2)[0] == 255)
    }
    let deep = encoded([255, 255, 255], try stream("yuv420p10le", 1, 1))
    #expect(codes(deep, 0)[0] == 940 && codes(deep, 1)[0] == 512)
  }

  @Test("matrix and range go by ffmpeg's names, too")
  func names() {
    #expect(ColorMatrix(named: "smpte170m") == .bt601 && ColorMatrix(named: "bt709") == .bt709)
    #expect(ColorMatrix(named: "bt2020nc") == .bt2020 && ColorMatrix(named: "ycgco") == nil)
    #expect(ColorRange(named: "tv") == .limited && ColorRange(named: "pc") == .full)
    #expect(ColorRange(named: "full") == .full && ColorRange(named: "wide") == nil)
  }

  @Test("alpha comes through as it was, and enlarged with the picture")
  func alpha() throws {
    for name in ["yuva420p", "yuva444p16be", "rgba", "argb", "ya8", "gbrap12le", "ayuv64le"] {
      let format = try stream(name, 9, 6)
      let source = frame(format, noise(format.layout.byteCount))
      let index = format.pixelFormat.components.count - 1
      let picture = [Float](repeating: 100, count: 3 * 54)
      let same = try FrameEncoder(format, from: format).encode(picture, from: source)
      #expect(codes(same, index) == codes(source, index), "\(name)")
      let larger = try format.enlarged(by: 4)
      let largePicture = [Float](repeating: 100, count: 3 * 54 * 16)
      let enlarged = try FrameEncoder(larger, from: format).encode(largePicture, from: source)
      var expected: [Float] = []
      let largest = Float(format.pixelFormat.components[index].largest)
      BicubicEnlargement(width: 9, height: 6, factor: 4)(
        codes(source, index), channels: 1, limits: 0...largest, into: &expected)
      let worst = zip(expected, codes(enlarged, index)).map { abs($0 - $1) }.max()!
      #expect(worst <= 0.51, "\(name): \(worst)")
    }
  }

  @Test("alpha in floating point comes through as it was, whatever number it is or is not")
  func floatingAlpha() throws {
    let format = try stream("gbrapf32le", 3, 2)
    let alpha: [Float] = [1.2, -1e-7, .nan, .infinity, 0, 0.5]
    let bytes = [UInt8](repeating: 0, count: 3 * 6 * 4) + alpha.withUnsafeBytes(Array.init)
    let source = frame(format, bytes)
    let picture = [Float](repeating: 100, count: 3 * 6)
    let same = try FrameEncoder(format, from: format).encode(picture, from: source)
    same.withBytes { #expect(Array($0.suffix(4 * 6)) == Array(bytes.suffix(4 * 6))) }
  }

  @Test("any size down to one pixel works in every format that is taken")
  func sizes() throws {
    #expect(PixelFormat.all.count > 160)
    for format in PixelFormat.all {
      for (width, height) in [(1, 1), (1, 9), (2, 3), (3, 1), (5, 5), (16, 16), (33, 17)] {
        let format = try stream(format.name, width, height)
        let source = frame(format, [UInt8](repeating: 0, count: format.layout.byteCount))
        let rgb = [Float](repeating: 128, count: 3 * width * height)
        let encoder = try FrameEncoder(format, from: format)
        let result = try encoder.encode(rgb, from: source)
        let again = decoded(result, format)
        #expect(again.count == rgb.count && again.allSatisfy { (0...255).contains($0) })
        // libswscale's CIE XYZ is not exact, floating point may differ in its last bit.
        let isSame = same(try encoder.encode(again, from: source), result)
        let name = format.pixelFormat.name
        #expect(
          isSame || name.hasPrefix("xyz") || name.contains("f32"), "\(name) \(width)x\(height)")
      }
    }
  }
}
