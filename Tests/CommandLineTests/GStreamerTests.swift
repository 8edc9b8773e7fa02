import Testing

@testable import tdm_filter

/// Real ffmpeg and real GStreamer on either side, in every combination.
///
/// GStreamer's sizes are multiples of 8 here: elsewhere it pads the lines of raw frames.
@Suite("Between ffmpeg and GStreamer")
struct GStreamerTests {
  enum Neighbour: CaseIterable { case ffmpeg, gstreamer }

  /// A pixel format by its names in ffmpeg, in GStreamer's caps and in rawvideoparse.
  struct Format: CustomTestStringConvertible {
    let ffmpeg, caps, parsed: String
    let frameByteCount: Int
    var testDescription: String { ffmpeg }
  }

  private static let (width, height, frames) = (64, 48, 4)
  private static let size = "\(width)x\(height)"

  static let eightBits = [
    Format(ffmpeg: "yuv420p", caps: "I420", parsed: "i420", frameByteCount: 64 * 48 * 3 / 2),
    Format(ffmpeg: "yuv422p", caps: "Y42B", parsed: "y42b", frameByteCount: 64 * 48 * 2),
    Format(ffmpeg: "yuv444p", caps: "Y444", parsed: "y444", frameByteCount: 64 * 48 * 3),
  ]
  static let tenBits = [
    Format(
      ffmpeg: "yuv420p10le", caps: "I420_10LE", parsed: "i420-10le", frameByteCount: 64 * 48 * 3),
    Format(
      ffmpeg: "yuv422p10le", caps: "I422_10LE", parsed: "i422-10le", frameByteCount: 64 * 48 * 4),
  ]

  private func source(_ neighbour: Neighbour, _ format: Format, y4m: Bool) -> String {
    switch neighbour {
    case .ffmpeg:
      "ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=\(Self.size):rate=25 -frames:v \(Self.frames) "
        + "-pix_fmt \(format.ffmpeg) -strict -1 -f \(y4m ? "yuv4mpegpipe" : "rawvideo") -"
    case .gstreamer:
      "gst-launch-1.0 -q videotestsrc num-buffers=\(Self.frames) ! "
        + "video/x-raw,format=\(format.caps),width=\(Self.width),height=\(Self.height),framerate=25/1 ! "
        + (y4m ? "y4menc ! " : "") + "fdsink fd=1"
    }
  }

  /// Gives the pixels back as it has understood them.
  private func sink(_ neighbour: Neighbour, _ format: Format, y4m: Bool) -> String {
    switch neighbour {
    case .ffmpeg:
      "ffmpeg -v error "
        + (y4m
          ? "-f yuv4mpegpipe"
          : "-f rawvideo -pixel_format \(format.ffmpeg) -video_size \(Self.size)")
        + " -i - -strict -1 -pix_fmt \(format.ffmpeg) -f rawvideo -"
    case .gstreamer:
      "gst-launch-1.0 -q fdsrc fd=0 ! "
        + (y4m
          ? "y4mdec"
          : "rawvideoparse format=\(format.parsed) width=\(Self.width) height=\(Self.height) framerate=25/1")
        + " ! video/x-raw,format=\(format.caps) ! fdsink fd=1"
    }
  }

  /// The pixels in a Y4M stream.
  private func pixels(_ stream: [UInt8], _ format: Format) throws -> [UInt8] {
    var rest = stream[(try #require(stream.firstIndex(of: 0x0a)) + 1)...]
    var pixels: [UInt8] = []
    while !rest.isEmpty {
      #expect(rest.starts(with: Array("FRAME".utf8)))
      let start = try #require(rest.firstIndex(of: 0x0a)) + 1
      try #require(rest.endIndex - start >= format.frameByteCount)
      pixels += rest[start..<start + format.frameByteCount]
      rest = rest[(start + format.frameByteCount)...]
    }
    return pixels
  }

  private func expectPassage(
    from first: Neighbour, to last: Neighbour, _ format: Format, y4m: Bool
  ) throws {
    let options =
      try Tiny.model() + Tiny.steps + ["--quiet"]
      + (y4m
        ? [] : ["--input-format", "raw", "--size", Self.size, "--pixel-format", format.ffmpeg])
    let source = source(first, format, y4m: y4m)
    let produced = try FilterProcess.pipeline(source)
    #expect(produced.status == 0 && produced.errors.isEmpty, "\(produced.errors)")
    let restored = try FilterProcess.run(options, input: produced.output)
    #expect(restored.status == 0 && restored.errors.isEmpty, "\(restored.errors)")
    let expected = y4m ? try pixels(restored.output, format) : restored.output
    #expect(expected.count == Self.frames * format.frameByteCount)

    let result = try FilterProcess.pipeline(
      "\(source) | \"$TDM_FILTER\" \(options.joined(separator: " ")) | \(sink(last, format, y4m: y4m))"
    )
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
    // Not by #expect on the arrays: it would show both.
    let isSame = result.output == expected
    #expect(isSame, "\(result.output.count) bytes, expected \(expected.count)")
  }

  @Test(
    "Y4M passes with every pixel as it was written", arguments: Neighbour.allCases,
    Neighbour.allCases)
  func y4m(first: Neighbour, last: Neighbour) throws {
    for format in Self.eightBits { try expectPassage(from: first, to: last, format, y4m: true) }
    // GStreamer 1.22's y4menc and y4mdec know 8 bits only: 10 go raw there.
    guard first == .ffmpeg, last == .ffmpeg else { return }
    for format in Self.tenBits { try expectPassage(from: first, to: last, format, y4m: true) }
  }

  @Test(
    "raw frames pass with every pixel as it was written", arguments: Neighbour.allCases,
    Neighbour.allCases)
  func raw(first: Neighbour, last: Neighbour) throws {
    for format in Self.eightBits + Self.tenBits {
      try expectPassage(from: first, to: last, format, y4m: false)
    }
  }
}
