import Foundation
import Testing

@testable import tdm_filter

/// Damage of a short stream, through the program itself: at every byte of its lines and at some of
/// its pixels, or with `TDM_EVERY_BYTE=1` at every byte of all. What reads the stream is tested at
/// every byte always, in VideoTests.
@Suite("A stream that is damaged anywhere")
struct StreamDamageTests {
  private static let header = "YUV4MPEG2 W16 H16 F25:1 Cmono"
  private static let frameByteCount = 256
  private static let stream: [UInt8] = {
    var bytes = Array("\(header)\n".utf8)
    for frame in 0..<2 {
      bytes += Array("FRAME\n".utf8)
      bytes += (0..<frameByteCount).map { UInt8(60 + ($0 * 7 + frame * 13) % 120) }
    }
    return bytes
  }()

  private static let isThorough = ProcessInfo.processInfo.environment["TDM_EVERY_BYTE"] != nil

  private func run(_ input: [UInt8]) throws -> FilterResult {
    // Without lookahead what is restored does not depend on what follows.
    try FilterProcess.run(
      Tiny.model() + Tiny.steps + ["--chunk", "1", "--lookahead", "0", "--quiet"], input: input)
  }

  /// A few processes at a time: most of each is waiting.
  private func forEach(
    _ numbers: some Sequence<Int>, _ body: @escaping @Sendable (Int) throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (started, number) in numbers.enumerated() {
        if started >= 3 { try await group.next() }
        group.addTask { try body(number) }
      }
      try await group.waitForAll()
    }
  }

  @Test("gives its whole frames and a clear error, wherever it is cut off")
  func truncation() async throws {
    let (stream, header) = (Self.stream, Self.header.utf8.count + 1)
    let frame = Self.frameByteCount + 6
    let whole = try run(stream).output
    #expect(whole.count == stream.count)
    let lengths = (0..<stream.count).filter { length in
      let inFrame = (length - header) % frame
      return Self.isThorough || length < header || inFrame < 8 || inFrame % 64 == 0
    }
    try await forEach(lengths) { length in
      let result = try self.run(Array(stream[..<length]))
      let frames = max(0, length - header) / frame
      if length >= header, (length - header) % frame == 0 {
        #expect(result.status == 0 && result.errors.isEmpty, "\(length): \(result.errors)")
        #expect(result.output == Array(whole[..<length]), "\(length)")
      } else {
        expectFailure(result, .badStream, saying: ["byte \(length)"])
        // A stream without a whole frame does not begin.
        let expected = frames == 0 ? [] : Array(whole[..<(header + frames * frame)])
        #expect(result.output == expected, "\(length): \(result.output.count) bytes")
      }
    }
  }

  @Test("gives a right result or a clear error, whichever byte of its header is flipped")
  func flippedHeader() async throws {
    let stream = Self.stream
    let pixels = try run(stream).output.suffix(Self.frameByteCount)
    try await forEach(0..<Self.header.utf8.count + 1) { index in
      let flips: [UInt8] = [0x01, 0x04, 0x20, 0xff]
      for flip in Self.isThorough ? flips : [flips[index % 4]] {
        var damaged = stream
        damaged[index] ^= flip
        let result = try self.run(damaged)
        if result.status == 0 {
          // What a flip turns into another sound header, or a tag that is forwarded, changes no
          // picture's size.
          #expect(result.errors.isEmpty, "\(index): \(result.errors)")
          #expect(result.output.suffix(Self.frameByteCount) == pixels, "\(index) ^ \(flip)")
        } else {
          #expect([64, 65].contains(result.status), "\(index) ^ \(flip): \(result.errors)")
          #expect(result.errorLines.count == 1, "\(index) ^ \(flip): \(result.errors)")
        }
      }
    }
  }
}
