import FixtureSupport
import Testing

@testable import tdm_filter

@Suite("A stream that is not what it should be")
struct StreamErrorTests {
  private func run(_ input: [UInt8], _ options: [String] = []) throws -> FilterResult {
    try FilterProcess.run(Tiny.model() + Tiny.steps + options, input: input)
  }

  @Test("is refused where nothing comes at all")
  func nothing() throws {
    let result = try run([])
    expectFailure(result, .badStream, saying: ["byte 0", "header"])
    #expect(result.output.isEmpty)
  }

  @Test("is refused where it is garbage, with what was found")
  func garbage() throws {
    var generator = SystemRandomNumberGenerator()
    let noise = (0..<100_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
    let result = try run(Array("RIFF".utf8) + noise)
    expectFailure(
      result, .badStream, saying: ["byte 0", "YUV4MPEG2", "RIFF", "--input-format raw"])
    #expect(result.output.isEmpty)
  }

  @Test("is refused where its header is a megabyte long, without reading it all")
  func longHeader() throws {
    let header = Array("YUV4MPEG2 W37 H21 X".utf8) + [UInt8](repeating: 0x61, count: 1 << 20)
    let result = try run(header)
    expectFailure(result, .badStream, saying: ["header", "newline"])
  }

  @Test("is refused where its colour space is unknown")
  func colourSpace() throws {
    var y4m = Y4M()
    y4m.header = y4m.header.replacing("C420jpeg", with: "C421hdr")
    expectFailure(try run(y4m.stream(frames: 1)), .badStream, saying: ["421hdr", "420jpeg"])
  }

  @Test("is refused where it ends inside its header", arguments: [1, 9, 10, 20])
  func truncatedHeader(length: Int) throws {
    let result = try run(Array(Y4M().stream(frames: 1).prefix(length)))
    expectFailure(result, .badStream, saying: ["byte \(length)", "header"])
    #expect(result.output.isEmpty)
  }

  @Test("is refused where its header has no size")
  func noSize() throws {
    var y4m = Y4M()
    y4m.header = y4m.header.replacing(" H\(Tiny.height)", with: "")
    expectFailure(try run(y4m.stream(frames: 1)), .badStream, saying: ["H"])
  }

  @Test(
    "gives all whole frames before a truncated last one", arguments: [1, 4, Y4M.frameByteCount])
  func truncatedFrame(missing: Int) throws {
    let stream = Y4M().stream(frames: 5)
    let result = try run(Array(stream.dropLast(missing)), ["--chunk", "2", "--lookahead", "1"])
    expectFailure(result, .badStream, saying: ["frame 4", "byte \(stream.count - missing)"])
    #expect(Y4M.frameCount(of: result.output) == 4)
  }

  @Test("gives all whole raw frames before a truncated last one")
  func truncatedRawFrame() throws {
    let result = try run(Array(Tiny.rawFrames(3).dropLast(100)), Tiny.raw)
    expectFailure(result, .badStream, saying: ["frame 2", "\(Tiny.rawFrameByteCount - 100)"])
    #expect(result.output.count == 2 * Tiny.rawFrameByteCount)
  }

  @Test("gives all frames before another stream that looks different")
  func otherHeader() throws {
    var other = Y4M()
    other.header = other.header.replacing("C420jpeg", with: "C444")
    let result = try run(Y4M().stream(frames: 3) + other.stream(frames: 1))
    expectFailure(result, .badStream, saying: ["444", "3 frames"])
    #expect(Y4M.frameCount(of: result.output) == 3)
  }
}
