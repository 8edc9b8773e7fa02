import Foundation
import Testing

@testable import Video

/// Runs ffmpeg in a folder of its own.
private struct Ffmpeg: ~Copyable {
  let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  func callAsFunction(_ arguments: [String]) throws {
    try Self.run(["-v", "error", "-y"] + arguments, in: folder)
  }

  func read(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
  }

  func write(_ bytes: [UInt8], _ name: String) throws {
    try Data(bytes).write(to: folder.appendingPathComponent(name))
  }

  private static func run(_ arguments: [String], in folder: URL) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["ffmpeg", "-nostdin"] + arguments
    process.currentDirectoryURL = folder
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    try #require(
      process.terminationStatus == 0,
      "expected ffmpeg, which .ci/setup installs, to do \(arguments.joined(separator: " "))")
  }
}

private let careful = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"

@Suite("ffmpeg on either side") struct FFmpegAgreementTests {
  static let width = 62
  static let height = 37
  static let picture = scenery(width: width, height: height).map { ($0 + 0.5).rounded(.down) }

  @Test("every pixel format means to ffmpeg what it means to us")
  func formats() throws {
    let ffmpeg = try Ffmpeg()
    try ffmpeg.write(Self.picture.map { UInt8($0) }, "in.rgb")
    let size = "\(Self.width)x\(Self.height)"
    // ffmpeg 5.1 reads and writes these, but its scaler does not.
    let names = manyFormats.filter { $0 != "nv16" }
    try ffmpeg(
      ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", size, "-i", "in.rgb"]
        + names.flatMap { name in
          ["-map", "0", "-sws_flags", careful, "-pix_fmt", name, "-f", "rawvideo", "\(name).raw"]
        })
    for name in names {
      // Gray in floating point is what ffmpeg 5.1 limits as if it were 8 bits.
      let range: ColorRange? = name == "grayf32le" ? .limited : nil
      let format = try stream(name, Self.width, Self.height, range: range)
      let bytes = try ffmpeg.read("\(name).raw")
      #expect(bytes.count == format.layout.byteCount, "\(name)")
      guard bytes.count == format.layout.byteCount else { continue }
      let rgb = decoded(frame(format, bytes), format)
      let isGray = format.pixelFormat.family == .gray
      let expected = isGray ? gray(Self.picture) : Self.picture
      let depth = format.pixelFormat.components.map(\.depth).min() ?? 12
      let shares = format.pixelFormat.log2ChromaWidth + format.pixelFormat.log2ChromaHeight
      // Its 10-bit packed RGB goes through tables of 8 bits.
      let least: Double =
        name.hasPrefix("x2")
        ? 42 : depth < 2 ? 4 : depth < 4 ? 15 : depth < 8 ? 23 : [47, 38, 34, 30, 28][shares]
      let kept = psnr(rgb, expected)
      #expect(kept > least, "\(name): \(kept) dB, at least \(least) expected")
    }
  }

  @Test("pure colours are ffmpeg's in every pixel format")
  func primaries() throws {
    let ffmpeg = try Ffmpeg()
    // Bars, wide enough that shared colour samples in their middle are theirs alone.
    let bars = (0..<16).flatMap { _ in (0..<256).map { $0 / 32 } }
    let picture = bars.flatMap { bar in [4, 2, 1].map { UInt8(bar & $0 == 0 ? 0 : 255) } }
    try ffmpeg.write(picture, "in.rgb")
    // Black and white is dithered; of CIE XYZ libswscale makes and unmakes all.
    let names = manyFormats.filter {
      $0 != "nv16" && !$0.hasPrefix("mono") && !$0.hasPrefix("xyz")
    }
    try ffmpeg(
      ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", "256x16", "-i", "in.rgb"]
        + names.flatMap { name in
          ["-map", "0", "-sws_flags", careful, "-pix_fmt", name, "-f", "rawvideo", "\(name).raw"]
        })
    for name in names {
      let format = try stream(name, 256, 16, range: name == "grayf32le" ? .limited : nil)
      let rgb = decoded(frame(format, try ffmpeg.read("\(name).raw")), format)
      let isGray = format.pixelFormat.family == .gray
      let expected = isGray ? gray(picture.map { Float($0) }) : picture.map { Float($0) }
      for bar in 0..<8 {
        let base = 3 * (8 * 256 + bar * 32 + 16)
        for index in base..<base + 3 {
          // libswscale makes 10-bit packed RGB by tables of 8 bits.
          let tolerance: Float = name.hasPrefix("x") ? 20 : 3
          #expect(
            abs(rgb[index] - expected[index]) <= tolerance,
            "\(name), bar \(bar): \(rgb[base..<base + 3])")
        }
      }
    }
  }

  @Test(
    "Y4M passes from ffmpeg to us and back",
    arguments: [
      "420jpeg", "420mpeg2", "420paldv", "422", "444", "411", "mono", "420p10", "422p12", "444p16",
      "mono10", "mono16",
    ])
  func y4m(tag: String) throws {
    let ffmpeg = try Ffmpeg()
    let (pixelFormat, siting) = try #require(try Y4MColorTag.meaning(of: tag))
    let location = ["center", "left", "topleft"][ChromaSiting.allCases.firstIndex(of: siting)!]
    try ffmpeg.write((0..<3).flatMap { _ in Self.picture.map { UInt8($0) } }, "in.rgb")
    try ffmpeg([
      "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", "\(Self.width)x\(Self.height)",
      "-framerate", "30000/1001", "-i", "in.rgb", "-sws_flags", careful, "-pix_fmt",
      pixelFormat.name,
      "-chroma_sample_location", location, "-strict", "-1", "-f", "yuv4mpegpipe", "in.y4m",
    ])
    let input = try ffmpeg.read("in.y4m")
    var rgb: [Float] = []
    let output = try withSource(input) { source in
      let reader = try InputDescription().open(source)
      #expect(reader.format.pixelFormat == pixelFormat)
      #expect(reader.format.frameRate == Ratio(30000, 1001))
      if pixelFormat.name == "yuv420p", tag != "420" {
        #expect(reader.format.chromaSiting == siting)
      }
      let decoder = try FrameDecoder(reader.format)
      let encoder = try FrameEncoder(reader.format, from: reader.format)
      return try written { sink in
        let writer = try FrameWriter(sink, reader.format)
        while let frame = try reader.next() {
          decoder.decode(frame, into: &rgb)
          try writer.write(encoder.encode(rgb, from: frame))
        }
        try writer.finish()
        #expect(writer.frameCount == 3)
      }
    }
    let isGray = pixelFormat.family == .gray
    let kept = psnr(rgb, isGray ? gray(Self.picture) : Self.picture)
    #expect(kept > (tag.contains("444") || isGray ? 44 : 31), "\(kept) dB")
    try ffmpeg.write(output, "out.y4m")
    try ffmpeg([
      "-i", "out.y4m", "-sws_flags", careful, "-pix_fmt", pixelFormat.name, "-f", "rawvideo",
      "out.raw",
      "-sws_flags", careful, "-pix_fmt", "rgb24", "-f", "rawvideo", "out.rgb",
    ])
    let format = try stream(pixelFormat.name, Self.width, Self.height)
    let raw = try ffmpeg.read("out.raw")
    #expect(raw.count == 3 * format.layout.byteCount)
    let first = frame(format, Array(raw[..<format.layout.byteCount]))
    let source = frame(format, Array(input.suffix(format.layout.byteCount)))
    for component in format.pixelFormat.components.indices {
      let peak = Float(format.pixelFormat.components[component].largest)
      let same = psnr(codes(first, component), codes(source, component), peak: peak)
      #expect(same > 50, "component \(component): \(same) dB")
    }
    // The colours that ffmpeg makes of it are the ones that we made.
    let shown = try ffmpeg.read("out.rgb").prefix(rgb.count).map { Float($0) }
    let agreed = psnr(rgb, shown)
    #expect(agreed > (tag.contains("444") || isGray ? 50 : 36), "\(agreed) dB")
  }

  /// The luma of a picture in each channel.
  private func gray(_ rgb: [Float]) -> [Float] {
    stride(from: 0, to: rgb.count, by: 3).flatMap { base in
      let luma = 0.299 * rgb[base] + 0.587 * rgb[base + 1] + 0.114 * rgb[base + 2]
      return [luma, luma, luma]
    }
  }
}
