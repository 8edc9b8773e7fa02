import Testing

@testable import Diffusion
@testable import Restoration

@Suite struct WaveletColorFixTests {
  private let canvas = Canvas(height: 70, width: 110, multiple: 1)

  @Test("A colour shift over the whole frame is taken back")
  func shiftsAreTakenBack() {
    let input = Scene(seed: 2).frame(canvas, gain: 0.7)
    var fix = WaveletColorFix(width: canvas.width, height: canvas.height)
    var frame = input.enumerated().map { $1 + [12, -9, 5][$0 % 3] }
    fix.apply(to: &frame, from: input)
    #expect(zip(frame, input).allSatisfy { abs($0 - $1) < 1e-3 })
  }

  @Test("Fine noise of the input does not come back")
  func noiseStaysAway() {
    let clean = Scene(seed: 2).frame(canvas, gain: 0.7)
    let noisy = Scene(seed: 2).frame(canvas, gain: 0.7, noise: 25, noiseSeed: 1)
    var fix = WaveletColorFix(width: canvas.width, height: canvas.height)
    var frame = clean
    fix.apply(to: &frame, from: noisy)
    let error = zip(frame, clean).map { ($0 - $1) * ($0 - $1) }.reduce(0, +) / Float(frame.count)
    #expect(error.squareRoot() < 2)
    #expect(frame != clean)
  }

  @Test("One level against plain code: edges are repeated, neighbours weigh 1, 2 and 1")
  func smallestFrame() {
    // At one pixel every neighbour is the pixel itself: the low band is the difference.
    var fix = WaveletColorFix(width: 1, height: 1)
    var frame: [Float] = [10, 20, 300]
    fix.apply(to: &frame, from: [50, 60, 70])
    #expect(frame == [50, 60, 115])
  }
}
