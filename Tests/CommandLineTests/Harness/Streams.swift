import FixtureSupport
import Foundation

/// Options for a random model that is quick, on the golden clip's size.
enum Tiny {
  static let width = 37
  static let height = 21
  // One thread: for pictures this small a team costs more than it gives, most of all where several
  // tests run at once.
  static let steps = ["--inversion-steps", "1", "--steps", "1", "--threads", "1"]

  static func model() throws -> [String] { ["--model", try Fixture.thin.modelFolder()] }

  /// Options for raw frames of rgb24.
  static let raw = [
    "--input-format", "raw", "--size", "\(width)x\(height)", "--pixel-format", "rgb24",
  ]
  static let rawFrameByteCount = width * height * 3

  /// Frames that differ from each other, rgb24.
  static func rawFrames(_ count: Int) throws -> [UInt8] {
    let clip = try Fixture.clip()
    return (0..<count).flatMap { clip.frame($0 % clip.frameCount) }
  }
}

/// A Y4M stream made by hand.
struct Y4M {
  var header = "YUV4MPEG2 W\(Tiny.width) H\(Tiny.height) F25:1 Ip C420jpeg"
  var frameLine = "FRAME"
  /// Bytes of a 4:2:0 frame of 8 bits; colour planes round up.
  static let frameByteCount =
    Tiny.width * Tiny.height + 2 * ((Tiny.width + 1) / 2) * ((Tiny.height + 1) / 2)

  func stream(frames: Int) -> [UInt8] {
    var bytes = Array((header + "\n").utf8)
    for frame in 0..<frames {
      bytes += Array("\(frameLine)\n".utf8)
      bytes += (0..<Self.frameByteCount).map { UInt8(60 + ($0 * 7 + frame * 13) % 120) }
    }
    return bytes
  }

  /// Frames of which each begins another scene: dark on the left, dark on the right.
  func scenes(_ frames: Int) -> [UInt8] {
    Array((header + "\n").utf8) + (0..<frames).flatMap { scene($0) }
  }

  /// One of them.
  func scene(_ number: Int) -> [UInt8] {
    Array("\(frameLine)\n".utf8)
      + (0..<Self.frameByteCount).map { place in
        (place % Tiny.width < Tiny.width / 2) == (number % 2 == 0) ? 50 : 200
      }
  }

  /// The pictures in what came out.
  static func frameCount(of output: [UInt8]) -> Int {
    guard let newline = output.firstIndex(of: 0x0a) else { return 0 }
    let body = output.count - newline - 1
    let frame = frameByteCount + "FRAME\n".utf8.count
    return body % frame == 0 ? body / frame : -1
  }
}
