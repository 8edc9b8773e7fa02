import Glibc
import Testing

@testable import Video

@Suite("Streams that are written") struct WritingTests {
  @Test("what is read is written again byte for byte, parameters and all")
  func roundTrip() throws {
    let streams = [
      y4m(
        "W16 H16 F30000:1001 Im A1:1 C420mpeg2 XCOLORRANGE=FULL XMINE=1", frames: 2, byteCount: 384,
        frameLine: "FRAME Ipp XTIME=7"),
      y4m("W16 H16 C444p10", frames: 0, byteCount: 0),
    ]
    for bytes in streams {
      #expect(try copied(bytes) == bytes)
    }
  }

  @Test("a socket whose reader left something unread is told as one that is gone")
  func resetSocket() throws {
    let door = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let own = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { for end in [door, own] { close(end) } }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    try withUnsafeMutablePointer(to: &address) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        try #require(bind(door, $0, length) == 0 && listen(door, 1) == 0)
        try #require(getsockname(door, $0, &length) == 0)
        try #require(connect(own, $0, length) == 0)
      }
    }
    let reader = accept(door, nil, nil)
    try #require(reader >= 0)
    let sink = ByteSink(descriptor: own)
    try sink.write("a frame")
    var waited = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
    try #require(poll(&waited, 1, 10_000) == 1)
    close(reader)
    waited = pollfd(fd: own, events: Int16(POLLIN), revents: 0)
    try #require(poll(&waited, 1, 10_000) == 1)
    let error = #expect(throws: VideoError.self) { try sink.write("another") }
    #expect(error?.kind == .readerGone, "\(String(describing: error))")
  }

  @Test("a long header keeps a range that is not meant without being said")
  func longHeaderRange() throws {
    for (tag, expected) in [("mono16", true), ("420p10", false)] {
      let tags = "W1920 H1080 F30000:1001 Ip A12345678:1234567 C\(tag) XCOLORRANGE=LIMITED"
      let format = try withSource(y4m(tags, frames: 0, byteCount: 0)) { try Y4MReader($0).format }
      let header = try Y4MHeader.line(for: format)
      #expect(header.contains("XCOLORRANGE=LIMITED") == expected, "\(header)")
      #expect(header.contains(" A12345678:1234567") == !expected && header.utf8.count < 80)
    }
  }

  @Test("a written header has at most 79 bytes, whatever was read")
  func headerLength() throws {
    let longest = "W32768 H4096 F2147483647:2147483646 Im A2147483647:2147483646 C420paldv"
    for rest in [
      "", " XYSCSS=420PALDV", " XCOLORRANGE=FULL", " XCOLORRANGE=LIMITED XA=1 XB=2",
      " X" + String(repeating: "y", count: 3000),
    ] {
      let format = try withSource(y4m(longest + rest, frames: 0, byteCount: 0)) {
        try Y4MReader($0).format
      }
      let line = try Y4MHeader.line(for: format)
      #expect(line.utf8.count <= 79, "\(line)")
      #expect(line.contains("C420paldv") && line.hasSuffix("\n"))
      if rest.contains("FULL") { #expect(line.contains("XCOLORRANGE=FULL")) }
    }
    // What ffmpeg writes at 1080p29.97, 86 bytes.
    let usual = "W1920 H1080 F30000:1001 Ip A1:1 C420mpeg2 XYSCSS=420MPEG2 XCOLORRANGE=LIMITED"
    let bytes = try copied(y4m(usual, frames: 0, byteCount: 0))
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == "YUV4MPEG2 W1920 H1080 F30000:1001 Ip A1:1 C420mpeg2 XCOLORRANGE=LIMITED\n")
  }

  @Test("tags of others go from the last one where the header would be too long")
  func droppedTags() throws {
    let bytes = try copied(
      y4m(
        "W1920 H1080 F25:1 C420mpeg2 XFIRST=1 XSECOND=22222222222222 XTHIRD=33333333", frames: 0,
        byteCount: 0))
    #expect(
      String(decoding: bytes, as: UTF8.self)
        == "YUV4MPEG2 W1920 H1080 F25:1 C420mpeg2 XFIRST=1 XSECOND=22222222222222\n")
  }

  @Test("a long FRAME line loses its last parameters")
  func longParameters() throws {
    let long = "FRAME Ipp XA=1 X" + String(repeating: "b", count: 100)
    let bytes = try copied(y4m("W1 H1 Cmono", frames: 1, byteCount: 1, frameLine: long))
    #expect(bytes == y4m("W1 H1 Cmono", frames: 1, byteCount: 1, frameLine: "FRAME Ipp XA=1"))
  }

  @Test("an enlarged stream says its size and keeps its aspect")
  func enlarged() throws {
    let error = #expect(throws: VideoError.self) {
      try PictureSize(width: 10240, height: 1000).enlarged(by: 4)
    }
    #expect(
      error?.description.hasPrefix("enlarged 4 times, 40960x4000: expected 1 to 32768") == true
        && error?.description.contains("the pictures of 10240x1000") == true)
    let format = try withSource(y4m("W100 H50 F25:1 A4:3 C420mpeg2", frames: 0, byteCount: 0)) {
      try Y4MReader($0).format.enlarged(by: 4)
    }
    #expect(try Y4MHeader.line(for: format) == "YUV4MPEG2 W400 H200 F25:1 A4:3 C420mpeg2\n")
  }

  @Test("Y4M has no name for every pixel format")
  func nameless() throws {
    let format = StreamFormat(
      container: .y4m, size: try PictureSize(width: 2, height: 2),
      pixelFormat: try PixelFormat(named: "rgb24"))
    let error = #expect(throws: VideoError.self) {
      try FrameWriter(ByteSink(descriptor: -1), format)
    }
    #expect(error?.kind == .usage)
    #expect(error?.description.contains("Y4M has no name for it") == true)
  }

  /// The stream, read and written.
  private func copied(_ bytes: [UInt8]) throws -> [UInt8] {
    try withSource(bytes) { source in
      let reader = try InputDescription().open(source)
      return try written { sink in
        let writer = try FrameWriter(sink, reader.format)
        while let frame = try reader.next() { try writer.write(frame) }
        try writer.finish()
      }
    }
  }
}
