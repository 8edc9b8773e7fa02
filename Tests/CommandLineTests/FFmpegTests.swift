import FixtureSupport
import Testing

@testable import tdm_filter

@Suite("Between two ffmpegs")
struct FFmpegTests {
  private func source(_ format: String, _ size: String, frames: Int) -> String {
    "ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=\(size):rate=30000/1001 -frames:v \(frames) "
      + "-pix_fmt \(format) -strict -1"
  }

  /// Bytes of a frame in rawvideo, as ffmpeg itself counts them.
  private func byteCount(_ format: String, _ size: String) throws -> Int {
    try FilterProcess.pipeline(source(format, size, frames: 1) + " -f rawvideo -").output.count
  }

  @Test(
    "frames keep their number, size and pixel format",
    arguments: [
      "yuv420p", "yuv422p", "yuv444p", "yuv411p", "gray", "yuv420p10le", "yuv422p10le",
      "yuv444p12le",
      "gray10le",
    ], ["64x48", "37x21"])
  func y4m(format: String, size: String) throws {
    let model = try Tiny.model().joined(separator: " ")
    let result = try FilterProcess.pipeline(
      """
      \(source(format, size, frames: 3)) -f yuv4mpegpipe - \
      | "$TDM_FILTER" --quiet \(model) \(Tiny.steps.joined(separator: " ")) \
      | ffmpeg -v error -f yuv4mpegpipe -i - -strict -1 -pix_fmt \(format) -f rawvideo -
      """)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.isEmpty)
    #expect(result.output.count == 3 * (try byteCount(format, size)))
  }

  @Test(
    "raw frames keep their number, size and pixel format",
    arguments: ["nv12", "rgb24", "bgra", "yuyv422", "p010le", "rgb48le", "gbrp10le"],
    ["64x48", "38x22"])
  func raw(format: String, size: String) throws {
    let model = try Tiny.model().joined(separator: " ")
    let result = try FilterProcess.pipeline(
      """
      \(source(format, size, frames: 2)) -f rawvideo - \
      | "$TDM_FILTER" --quiet \(model) \(Tiny.steps.joined(separator: " ")) \
        --input-format raw --size \(size) --pixel-format \(format)
      """)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.isEmpty)
    #expect(result.output.count == 2 * (try byteCount(format, size)))
  }

  @Test("the header is short enough for every reader, and keeps rate and range")
  func header() throws {
    let model = try Tiny.model().joined(separator: " ")
    let result = try FilterProcess.pipeline(
      """
      \(source("yuv420p", "64x48", frames: 1)) -color_range pc -f yuv4mpegpipe - \
      | "$TDM_FILTER" --quiet \(model) \(Tiny.steps.joined(separator: " "))
      """)
    let end = try #require(result.output.firstIndex(of: 0x0a))
    let header = String(decoding: result.output[..<end], as: UTF8.self)
    #expect(header.utf8.count < 80)
    #expect(header.contains("F30000:1001"))
    #expect(header.contains("XCOLORRANGE="))
  }

  @Test("the end of the reader is told, and not its neighbour's")
  func readerEnds() throws {
    let model = try Tiny.model().joined(separator: " ")
    let result = try FilterProcess.pipeline(
      """
      set +o pipefail
      \(source("yuv420p", "64x48", frames: 40)) -f yuv4mpegpipe - 2>/dev/null \
      | { "$TDM_FILTER" \(model) \(Tiny.steps.joined(separator: " ")) --chunk 1 --lookahead 0; echo "status $?" >&2; } \
      | ffmpeg -v error -f yuv4mpegpipe -i - -frames:v 2 -f null -
      """)
    #expect(
      result.errors.contains("status \(ProgramStatus.readerGone.rawValue)"), "\(result.errors)")
  }
}
