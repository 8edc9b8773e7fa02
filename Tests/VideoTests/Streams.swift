import Foundation
import Glibc

@testable import Video

/// Both ends of a pipe, closed with it.
final class Duct: @unchecked Sendable {
  let readEnd: Int32
  private(set) var writeEnd: Int32

  init() {
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    (readEnd, writeEnd) = (ends[0], ends[1])
  }

  func closeWriteEnd() {
    if writeEnd >= 0 { close(writeEnd) }
    writeEnd = -1
  }

  deinit {
    close(readEnd)
    closeWriteEnd()
  }
}

/// A source of `bytes` that gives them in pieces of `piece`, the way that a slow neighbour would.
func withSource<R>(
  _ bytes: [UInt8], piece: Int = .max, _ body: (ByteSource) throws -> R
) rethrows -> R {
  let duct = Duct()
  let thread = Thread {
    var start = 0
    while start < bytes.count {
      let count = min(piece, bytes.count - start)
      let written = bytes.withUnsafeBytes { write(duct.writeEnd, $0.baseAddress! + start, count) }
      if written <= 0 { break }
      start += written
    }
    duct.closeWriteEnd()
  }
  thread.start()
  return try body(ByteSource(descriptor: duct.readEnd))
}

/// What was read of a stream: its frames' bytes, and the error that ended it.
struct Reading: Equatable {
  var frames: [[UInt8]] = []
  var parameters: [String] = []
  var begins: [Bool] = []
  var error: VideoError?
}

func read(_ source: ByteSource, _ description: InputDescription = InputDescription()) -> Reading {
  var reading = Reading()
  do throws(VideoError) {
    let reader = try description.open(source)
    while let frame = try reader.next() {
      precondition(frame.number == reading.frames.count)
      reading.frames.append(frame.withBytes { [UInt8]($0) })
      reading.parameters.append(frame.parameters)
      reading.begins.append(frame.beginsSequence)
    }
  } catch {
    reading.error = error
  }
  return reading
}

func read(_ bytes: [UInt8], piece: Int = .max, _ description: InputDescription = InputDescription())
  -> Reading
{
  withSource(bytes, piece: piece) { read($0, description) }
}

/// The bytes that `body` writes.
func written(_ body: (ByteSink) throws -> Void) throws -> [UInt8] {
  let duct = Duct()
  let collected = Collected()
  let done = DispatchSemaphore(value: 0)
  let thread = Thread {
    var part = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = Glibc.read(duct.readEnd, &part, part.count)
      if count <= 0 { break }
      collected.bytes += part[..<count]
    }
    done.signal()
  }
  thread.start()
  defer { duct.closeWriteEnd() }
  try body(ByteSink(descriptor: duct.writeEnd))
  duct.closeWriteEnd()
  done.wait()
  return collected.bytes
}

private final class Collected: @unchecked Sendable {
  var bytes: [UInt8] = []
}

/// Bytes that look like nothing in particular and are the same each time.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
  var state = seed &* 0x9e37_79b9_7f4a_7c15 | 1
  return (0..<count).map { _ in
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return UInt8(truncatingIfNeeded: state >> 24)
  }
}

/// A Y4M stream with `header` behind its magic, and frames of `byteCount` bytes of noise.
func y4m(_ header: String, frames: Int, byteCount: Int, frameLine: String = "FRAME") -> [UInt8] {
  var bytes = Array("YUV4MPEG2 \(header)\n".utf8)
  for index in 0..<frames {
    bytes += Array("\(frameLine)\n".utf8) + noise(byteCount, seed: UInt64(index + 1))
  }
  return bytes
}
