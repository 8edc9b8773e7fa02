import Foundation
import Glibc
import Testing

@testable import Video

@Suite("Frames in and out of streams") struct StreamTests {
  @Test(
    "any cutting of the input into reads gives the same frames", arguments: [1, 2, 7, 4095, 4097])
  func cutting(piece: Int) throws {
    let bytes = y4m("W17 H5 F25:1 C420jpeg", frames: 3, byteCount: 17 * 5 + 2 * 9 * 3)
    let whole = read(bytes)
    #expect(whole.error == nil)
    #expect(whole.frames.map { $0 } == (1...3).map { noise(139, seed: UInt64($0)) })
    #expect(read(bytes, piece: piece) == whole)
  }

  @Test("a truncated stream gives its whole frames, then an error that names frame and byte")
  func truncation() throws {
    let header = "YUV4MPEG2 W4 H3 Cmono\n".utf8.count
    let bytes = y4m("W4 H3 Cmono", frames: 3, byteCount: 12)
    let frameLength = 18
    for length in 0...bytes.count {
      let reading = read(Array(bytes[..<length]))
      let whole = max(0, length - header) / frameLength
      #expect(reading.frames.count == whole, "\(length) bytes")
      let isWhole = length >= header && (length - header) % frameLength == 0
      #expect(
        (reading.error == nil) == isWhole, "\(length) bytes: \(String(describing: reading.error))")
      guard let error = reading.error else { continue }
      #expect(error.kind == .badStream)
      #expect(error.description.contains("byte \(length)") || length == 0, "\(error)")
      if length > header { #expect(error.description.contains("frame \(whole)"), "\(error)") }
    }
  }

  @Test("every byte of a header flipped gives frames or a clear error")
  func flippedHeader() throws {
    let bytes = y4m(
      "W4 H3 F30000:1001 Ip A1:1 C420jpeg XCOLORRANGE=LIMITED", frames: 1, byteCount: 20)
    let header = bytes.firstIndex(of: 0x0a)!
    for index in 0...header {
      for flip: UInt8 in [0x01, 0x20, 0x80, 0xff] {
        var damaged = bytes
        damaged[index] ^= flip
        let reading = read(damaged)
        if let error = reading.error {
          #expect(error.kind == .badStream)
          #expect(!error.description.contains("\n"))
        } else {
          #expect(reading.frames.count <= 1)
        }
      }
    }
  }

  @Test("streams in a row with headers that say the same are one stream")
  func concatenation() {
    let one = y4m("W4 H3 F25:1 Cmono", frames: 2, byteCount: 12)
    let other = y4m("H3 W4 Cmono F50:2 XOTHER=1", frames: 1, byteCount: 12)
    let reading = read(one + other + one)
    #expect(reading.error == nil)
    #expect(reading.frames.count == 5)
    #expect(reading.begins == [true, false, true, true, false])
  }

  @Test(
    "a header that differs is an error after all frames before it",
    arguments: [
      ("W5 H3 F25:1 Cmono", "size: expected 4x3, found 5x3"),
      ("W4 H3 F25:1 C420", "colour space: expected Cmono, found C420jpeg"),
      ("W4 H3 F24:1 Cmono", "frame rate: expected 25/1, found 24/1"),
      ("W4 H3 F25:1 Cmono It", "interlacing: expected ?, found t"),
      ("W4 H3 F25:1 Cmono A4:3", "pixel aspect: expected unknown, found 4/3"),
      ("W4 H3 F25:1 Cmono XCOLORRANGE=LIMITED", "colour range: expected full, found limited"),
    ])
  func differentHeader(header: String, message: String) {
    let one = y4m("W4 H3 F25:1 Cmono", frames: 2, byteCount: 12)
    let reading = read(one + y4m(header, frames: 1, byteCount: 12))
    #expect(reading.frames.count == 2)
    #expect(reading.error?.kind == .badStream)
    #expect(
      reading.error?.description.contains(message) == true, "\(String(describing: reading.error))")
    #expect(reading.error?.description.contains("byte \(one.count), after 2 frames") == true)
  }

  @Test("bytes that are no FRAME line are named with their place")
  func badMarker() {
    var bytes = y4m("W4 H3 Cmono", frames: 2, byteCount: 12)
    bytes.insert(0x41, at: 22 + 18)
    let reading = read(bytes)
    #expect(reading.frames.count == 1)
    let message = reading.error?.description ?? ""
    #expect(
      message.contains("byte 40, before frame 1: expected \"FRAME\", found \"AFRAME\""),
      "\(message)")
  }

  @Test("what usual writers do wrongly is named where pictures are of that kind")
  func knownFaults() {
    for (header, byteCount, fault) in [
      ("W5 H2 C420p10", 32, "ffmpeg writes odd widths wrongly above 8 bits"),
      ("W5 H2 C444p10", 60, "y4menc"), ("W5 H2 C420jpeg", 16, "y4menc"),
      ("W4 H2 C420p10", 24, "y4menc"),
    ] {
      let bytes = y4m(header, frames: 1, byteCount: byteCount) + Array("amiss\n".utf8)
      let message = read(bytes).error?.description ?? ""
      #expect(
        message.contains("before frame 1: expected \"FRAME\"") && message.contains(fault),
        "\(header): \(message)")
    }
  }

  @Test("garbage and endless lines end in an error, not in memory")
  func garbage() {
    #expect(read([]).error?.description.contains("the stream is empty") == true)
    let garbage = read(noise(100_000))
    #expect(garbage.error?.description.contains("expected a Y4M header") == true)
    #expect(garbage.error?.description.contains("--input-format raw") == true)
    let file = read([0, 0, 0, 0x20] + Array("ftypisom".utf8) + noise(1000))
    #expect(file.error?.description.contains("found an MP4 or QuickTime file; decode it") == true)
    let endless = read(Array("YUV4MPEG2 X".utf8) + [UInt8](repeating: 0x58, count: 1 << 20))
    #expect(endless.error?.description.contains("no newline in its first 4096 bytes") == true)
    let endlessFrame = read(
      y4m("W4 H3 Cmono", frames: 0, byteCount: 0) + Array("FRAME ".utf8)
        + [UInt8](repeating: 0x58, count: 1 << 20))
    #expect(endlessFrame.error?.description.contains("no newline in its first 4096 bytes") == true)
  }

  @Test(
    "a header that says nonsense says which tag",
    arguments: [
      ("H3", "found no W"), ("W4", "found no H"),
      ("W0 H3", "picture size 0x3"), ("W4 H99999999", "picture size 4x99999999"),
      (
        "W4 H99999999999999999999",
        "expected H and a number of pixels, found \"H99999999999999999999\""
      ),
      ("W-4 H3", "found \"W-4\""), ("W4 H3 W4", "byte 16: found a second W"),
      ("W4 H3 C421", "byte 16: unknown colour space \"421\"; expected one of 420jpeg 420mpeg2"),
      ("W4 H3 F25", "byte 16: expected F and a ratio"), ("W4 H3 F25:0", "found \"F25:0\""),
      ("W4 H3 A1:x", "expected A and a ratio"), ("W4 H3 Ix", "expected I and one of ? p t b m"),
      ("W4 H3 XCOLORRANGE=BIG", "expected XCOLORRANGE=FULL or XCOLORRANGE=LIMITED"),
      ("W4 H3 X\u{7}", "byte 17: expected printable ASCII in the Y4M header, found 0x07"),
      ("W32768 H32768", "at most"),
    ])
  func malformedHeader(header: String, message: String) {
    let error = read(y4m(header, frames: 1, byteCount: 12)).error
    #expect(error?.kind == .badStream)
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }

  @Test("a header's meaning is read: defaults, older tags, unknown rates")
  func meanings() throws {
    func format(_ header: String) throws -> StreamFormat {
      try withSource(y4m(header, frames: 0, byteCount: 0)) { try Y4MReader($0).format }
    }
    let plain = try format("W4 H3")
    #expect(plain.pixelFormat.name == "yuv420p")
    #expect(plain.chromaSiting == .center)
    #expect(plain.frameRate == nil && plain.pixelAspect == nil && plain.interlacing == nil)
    #expect(plain.effectiveMatrix == .bt601 && plain.effectiveRange == .limited)
    #expect(try format("W4 H3 XYSCSS=420MPEG2").chromaSiting == .left)
    #expect(try format("W4 H3 C420paldv XYSCSS=444").chromaSiting == .topLeft)
    #expect(try format("W4 H3 XYSCSS=422P10").pixelFormat.name == "yuv422p10le")
    #expect(try format("W4 H3 F0:0 A0:0 XCOLORRANGE=FULL").effectiveRange == .full)
    // As GStreamer's y4menc writes it where frames come at no rate.
    #expect(try format("W4 H3 F0:1 A0:1").frameRate == nil)
    for tag in ["F1:0", "F0", "F:1", "F0:", "A1:0"] {
      #expect(throws: VideoError.self) { try format("W4 H3 \(tag)") }
    }
    #expect(try format("W4 H3 Cmono").effectiveRange == .full)
    #expect(try format("W4 H3 Cmono XCOLORRANGE=LIMITED").effectiveRange == .limited)
    for (tag, name, _) in Y4MColorTag.all {
      #expect(try format("W4 H3 C\(tag)").pixelFormat.name == name)
    }
  }

  @Test("raw frames are read by the size and pixel format that the user gives")
  func raw() throws {
    let nv12 = try PixelFormat(named: "nv12")
    let description = InputDescription(
      size: try PictureSize(parsing: "17x5"), pixelFormat: nv12, frameRate: Ratio(25, 1))
    let frames = noise(139 * 3)
    let whole = read(frames, piece: 5, description)
    #expect(whole.error == nil)
    #expect(
      whole.frames == [Array(frames[..<139]), Array(frames[139..<278]), Array(frames[278...])])
    #expect(read([], description) == Reading())
    let cut = read(Array(frames.dropLast()), description)
    #expect(cut.frames.count == 2)
    let message = cut.error?.description ?? ""
    #expect(message.contains("byte 416: the stream ends inside frame 2"), "\(message)")
    #expect(message.contains("expected 139 bytes of pixels (17x5 nv12), found 138"), "\(message)")
    #expect(read(frames, InputDescription(container: .raw)).error?.kind == .usage)
    #expect(
      read(frames, InputDescription(container: .raw)).error?.description.contains("--size") == true)
    // Half of what raw needs, and no Y4M either.
    let half = InputDescription(size: try PictureSize(parsing: "17x5"))
    #expect(read(frames, half).error?.kind == .usage)
  }

  @Test("a Y4M header stands above the user's size and pixel format, which must not contradict it")
  func contradiction() throws {
    let stream = y4m("W4 H3 Cmono", frames: 1, byteCount: 12)
    func description(_ size: String, _ format: String?) throws -> InputDescription {
      InputDescription(
        size: try PictureSize(parsing: size), pixelFormat: try format.map(PixelFormat.init(named:)))
    }
    #expect(read(stream, try description("4x3", "gray")).frames.first?.count == 12)
    for (size, format) in [("17x5", nil), ("17x5", "gray"), ("4x3", "nv12")] {
      let error = read(stream, try description(size, format)).error
      #expect(error?.kind == .usage)
      #expect(error?.description.contains("the Y4M header says") == true)
    }
  }

  @Test("reading can be interrupted while it waits, and in the middle of a frame")
  func interruption() throws {
    let interruption = Duct()
    let duct = Duct()
    let bytes = y4m("W4 H3 Cmono", frames: 1, byteCount: 12) + Array("FRAME\nabc".utf8)
    _ = bytes.withUnsafeBytes { write(duct.writeEnd, $0.baseAddress!, $0.count) }
    let source = ByteSource(descriptor: duct.readEnd, interruption: interruption.readEnd)
    let thread = Thread {
      usleep(30_000)
      _ = write(interruption.writeEnd, "!", 1)
    }
    thread.start()
    let reading = read(source)
    #expect(reading.error == nil)
    #expect(reading.frames.count == 1)
    #expect(source.wasInterrupted)
  }

  @Test("descriptors that a neighbour made non-blocking are waited for")
  func nonBlocking() throws {
    let duct = Duct()
    for end in [duct.readEnd, duct.writeEnd] { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    let frame = noise(300_000)
    let thread = Thread {
      let sink = ByteSink(descriptor: duct.writeEnd)
      frame.withUnsafeBytes { try! sink.write($0) }
      duct.closeWriteEnd()
    }
    thread.start()
    let description = InputDescription(
      container: .raw, size: try PictureSize(width: 500, height: 600),
      pixelFormat: try PixelFormat(named: "gray"))
    #expect(read(ByteSource(descriptor: duct.readEnd), description).frames == [frame])
  }

  @Test("a reader that has gone is an error of its own kind, a bad descriptor another")
  func endings() {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    _ = pipe(&ends)
    close(ends[0])
    let gone = #expect(throws: VideoError.self) { try ByteSink(descriptor: ends[1]).write("x") }
    #expect(gone?.kind == .readerGone)
    close(ends[1])
    let closed = #expect(throws: VideoError.self) { try ByteSink(descriptor: -1).write("x") }
    #expect(closed?.kind == .transfer)
    let unreadable = #expect(throws: VideoError.self) { try ByteSource(descriptor: -1).peek(1) }
    #expect(unreadable?.kind == .transfer)
    #expect(unreadable?.description.contains("reading input at byte 0") == true)
    let folder = open("/", O_RDONLY)
    let unfit = #expect(throws: VideoError.self) { try ByteSource(descriptor: folder).peek(1) }
    #expect(unfit?.description.hasSuffix("Is a directory; give a pipe or a file") == true)
    close(folder)
  }
}
