import Testing

@testable import Restoration

@Suite struct SceneCutTests {
  private static let canvas = Canvas(height: 90, width: 160, multiple: 1)

  /// The places in a clip where a scene begins.
  private func cuts(_ frames: [[Float]], _ canvas: Canvas = canvas) -> [Int] {
    var detector = SceneCutDetector(width: canvas.width, height: canvas.height)
    return frames.indices.filter { detector.isCut(before: frames[$0]) }
  }

  @Test("Cuts are found where they are", arguments: [0, 25] as [Float])
  func cutsAreFound(noise: Float) {
    for seed in stride(from: 0, to: 16, by: 2) as StrideTo<UInt64> {
      let frames = (0..<12).map { frame in
        Scene(seed: seed + (frame < 5 ? 0 : 1)).frame(
          Self.canvas, movedBy: Float(frame), noise: noise, noiseSeed: UInt64(frame))
      }
      #expect(cuts(frames) == [5], "scenes \(seed) and \(seed + 1)")
    }
  }

  @Test("A pan is no cut", arguments: [1, 4, 8] as [Float])
  func pansAreNoCuts(speed: Float) {
    let frames = (0..<20).map { Scene(seed: 3).frame(Self.canvas, movedBy: speed * Float($0)) }
    #expect(cuts(frames) == [])
  }

  @Test("A fade to black and back is no cut")
  func fadesAreNoCuts() {
    let frames = (0...20).map { Scene(seed: 4).frame(Self.canvas, gain: abs(Float($0) - 10) / 10) }
    #expect(cuts(frames) == [])
  }

  @Test("A fade from one scene to another is no cut")
  func crossFadesAreNoCuts() {
    let (from, to) = (Scene(seed: 5).frame(Self.canvas), Scene(seed: 6).frame(Self.canvas))
    let frames = (0...24).map { step in
      zip(from, to).map { $0 + ($1 - $0) * Float(step) / 24 }
    }
    #expect(cuts(frames) == [])
  }

  @Test("A flash is no cut")
  func flashesAreNoCuts() {
    let frames = (0..<12).map { frame in
      Scene(seed: 7).frame(
        Self.canvas, movedBy: Float(frame), gain: frame == 5 ? 1.2 : 1, offset: frame == 5 ? 60 : 0)
    }
    #expect(cuts(frames) == [])
  }

  @Test("Noise alone is no cut, whatever the frame's size")
  func noiseIsNoCut() {
    for (width, height) in [(160, 90), (16, 16), (17, 33), (640, 16)] {
      let canvas = Canvas(height: height, width: width, multiple: 1)
      let frames = (0..<10).map { frame in
        Scene(seed: 8).frame(canvas, noise: 25, noiseSeed: UInt64(frame))
      }
      #expect(cuts(frames, canvas) == [], "\(width)x\(height)")
    }
  }

  @Test("Flat frames and single pixels are no cuts")
  func flatFrames() {
    let flat = [0, 128, 255, 7].map { (value: Float) in
      Array(repeating: value, count: Self.canvas.frameCount)
    }
    #expect(cuts(flat) == [])
    let tiny = Canvas(height: 1, width: 1, multiple: 1)
    #expect(cuts([[0, 0, 0], [255, 255, 255]], tiny) == [])
  }

  @Test("After a seam the first frame is compared with none")
  func seams() {
    var detector = SceneCutDetector(width: Self.canvas.width, height: Self.canvas.height)
    var found: [Bool] = []
    found.append(detector.isCut(before: Scene(seed: 1).frame(Self.canvas)))
    detector.forget()
    found.append(detector.isCut(before: Scene(seed: 2).frame(Self.canvas)))
    found.append(detector.isCut(before: Scene(seed: 3).frame(Self.canvas)))
    #expect(found == [false, false, true])
  }
}
