import CKernels
import Foundation
import Kernels
import Testing

/// What stands still averaged over all that came before, and what changes not.
@Suite("In C, the history of what stands still")
struct CHistoryTests {
  private static let (width, height) = (64, 56)

  /// Waves in three colours, 0...255.
  private func scene(_ width: Int = Self.width, _ height: Int = Self.height) -> [Float] {
    (0..<height * width).flatMap { pixel in
      let (x, y) = (Float(pixel % width), Float(pixel / width))
      let light = 120 + 40 * sinf(0.4 * x + 0.1 * y) + 25 * sinf(0.9 * y - 0.3 * x)
      return [0.9, 1, 1.1].map { light * $0 }
    }
  }

  private func noisy(_ clean: [Float], _ noise: Float, seed: UInt64) -> [Float] {
    var grain = Noise(seed)
    return clean.map { $0 + noise * grain.normal() }
  }

  /// The C functions with canaries around all that they write, for frames that are fused with
  /// nothing.
  private final class History {
    let mean, counts, weights, scratch: Guarded
    let (width, height): (Int, Int)
    let noise: Float
    let threads: Int32

    init(_ width: Int, _ height: Int, noise: Float, threads: Int32 = 2) {
      (self.width, self.height) = (width, height)
      self.noise = noise
      self.threads = threads
      mean = Guarded(TDM_F32, [Float](repeating: 0, count: width * height * 3))
      counts = Guarded(TDM_F32, [Float](repeating: 0, count: width * height))
      weights = Guarded(TDM_F32, count: width * height)
      scratch = Guarded(TDM_F32, count: tdm_history_scratch_count(width, threads))
    }

    private func floats(_ memory: Guarded) -> UnsafeMutablePointer<Float> {
      memory.start.assumingMemoryBound(to: Float.self)
    }

    /// What becomes of a frame, which is taken afterwards.
    func blend(_ frame: [Float], worth weight: Float = 1, most: Float = 32) -> [Float] {
      let fused = Guarded(TDM_F32, frame)
      let picture = Guarded(TDM_F32, frame)
      floats(weights).update(repeating: weight, count: width * height)
      var levels = tdm_noise_of(levelsOfWhite(noise), [0, 0, 0], 0)
      tdm_history_blend(
        floats(fused), floats(weights), floats(mean), floats(counts), width, height, &levels,
        floats(scratch), threads)
      tdm_history_take(floats(mean), floats(counts), floats(picture), width * height, most, threads)
      let all = [mean, counts, weights, scratch, fused, picture]
      #expect(withExtendedLifetime(all) { all.allSatisfy(\.isIntact) })
      return fused.values(TDM_F32)
    }
  }

  @Test("takes away more noise of what stands still with every frame")
  func still() {
    let (clean, noise) = (scene(), Float(12))
    withEachInstructionSet { isa in
      let history = History(Self.width, Self.height, noise: noise)
      let left = (0..<28).map { frame in
        deviation(history.blend(noisy(clean, noise, seed: UInt64(frame + 1))), clean)
      }
      #expect(abs(left[0] - noise) < 0.3, "set \(isa): the first has none before it: \(left[0])")
      #expect(left[3] < noise / 1.8 && left[9] < noise / 2.4, "set \(isa): \(left)")
      #expect(left[27] < noise / 2.8, "set \(isa): \(left[27])")
      // Four frames that are fused beforehand have half the noise, and the mean takes more of it.
      let fused = history.blend(noisy(clean, noise / 2, seed: 99), worth: 4)
      #expect(deviation(fused, clean) < noise / 3.5, "set \(isa): \(deviation(fused, clean))")
    }
  }

  @Test("changes nothing of what stands still without noise")
  func clean() {
    let history = History(Self.width, Self.height, noise: 0)
    for _ in 0..<6 { #expect(deviation(history.blend(scene()), scene()) < 1e-3) }
    let brighter = scene().map { $0 + 2 }
    #expect(deviation(history.blend(brighter), brighter) < 0.01)
  }

  @Test("weighs the mean and the frame by how many frames each is worth")
  func weighing() {
    let flat = { (level: Float) in [Float](repeating: level, count: Self.width * Self.height * 3) }
    // Beside so much noise there is no difference.
    let history = History(Self.width, Self.height, noise: 200)
    for _ in 0..<9 { _ = history.blend(flat(100), most: 4) }
    let out = history.blend(flat(110), worth: 12, most: 4)
    #expect(out.allSatisfy { abs($0 - 107.5) < 0.01 })
  }

  @Test("notices over many pixels what is far fainter than the noise")
  func faint() {
    let history = History(Self.width, Self.height, noise: 10)
    for frame in 0..<20 { _ = history.blend(noisy(scene(), 10, seed: UInt64(frame + 1))) }
    let out = history.blend(noisy(scene().map { $0 + 3 }, 10, seed: 50))
    let brighter = zip(out, scene()).reduce(0) { $0 + $1.0 - $1.1 } / Float(out.count)
    #expect(brighter > 1.6, "\(brighter) of 3")
  }

  @Test("counts as no more frames than it may")
  func most() {
    let history = History(Self.width, Self.height, noise: 12)
    let frames = (0..<12).map { noisy(scene(), 12, seed: UInt64($0 + 1)) }
    var counted: Float = 0
    for frame in frames {
      _ = history.blend(frame, most: 4)
      counted = max(counted, history.counts.values(TDM_F32).max()!)
    }
    #expect(counted == 4)
    #expect(deviation(history.mean.values(TDM_F32), scene()) > 12 / 3.2)
  }

  @Test("leaves what has changed as it is, and takes it up anew")
  func change() {
    let noise = Float(10)
    let before = scene()
    // A square that gets brighter by as much as the noise.
    let inside = before.indices.map { index in
      let (x, y) = (index / 3 % Self.width, index / 3 / Self.width)
      return (20..<44).contains(x) && (16..<40).contains(y)
    }
    let after = zip(before, inside).map { $1 ? $0 + 10 : $0 }
    withEachInstructionSet { isa in
      let history = History(Self.width, Self.height, noise: noise)
      for frame in 0..<20 { _ = history.blend(noisy(before, noise, seed: UInt64(frame + 1))) }
      func brightening(_ picture: [Float]) -> Float {
        let changes = inside.indices.filter { inside[$0] }.map { picture[$0] - before[$0] }
        return changes.reduce(0, +) / Float(changes.count)
      }
      let first = brightening(history.blend(noisy(after, noise, seed: 50)))
      #expect(first > 8.5, "set \(isa): \(first)")
      var last: [Float] = []
      for frame in 0..<12 { last = history.blend(noisy(after, noise, seed: UInt64(frame + 60))) }
      #expect(abs(brightening(last) - 10) < 0.7, "set \(isa): \(brightening(last))")
      #expect(deviation(last, after) < noise / 2, "set \(isa): \(deviation(last, after))")
    }
  }

  @Test("leaves small faint things that pass over what stands still")
  func spots() {
    let noise = Float(10)
    let history = History(Self.width, Self.height, noise: noise)
    // 3 x 3 pixels, brighter by twice the noise, that move by seven pixels a frame.
    func spotted(_ frame: Int) -> (picture: [Float], spots: [Int]) {
      var picture = scene()
      var spots: [Int] = []
      for (row, start) in [(8, 3), (20, 30), (32, 11), (44, 50)] {
        let left = (start + 7 * frame) % (Self.width - 3)
        for y in row..<row + 3 {
          for index in (y * Self.width + left) * 3..<(y * Self.width + left + 3) * 3 {
            picture[index] += 2 * noise
            spots.append(index)
          }
        }
      }
      return (picture, spots)
    }
    for frame in 0..<20 {
      _ = history.blend(noisy(spotted(frame).picture, noise, seed: UInt64(frame + 1)))
    }
    let (picture, spots) = spotted(20)
    let out = history.blend(noisy(picture, noise, seed: 21))
    let left = spots.reduce(0) { $0 + out[$1] - scene()[$1] } / Float(spots.count)
    #expect(left > 1.6 * noise, "\(left) of \(2 * noise)")
    #expect(deviation(out, picture) < noise / 1.8)
  }

  @Test("follows what gets brighter slowly")
  func fade() {
    let history = History(Self.width, Self.height, noise: 10)
    var behind: Float = 0
    for frame in 0..<60 {
      let clean = scene().map { $0 + 0.3 * Float(frame) }
      let out = history.blend(noisy(clean, 10, seed: UInt64(frame + 1)))
      behind = zip(out, clean).reduce(0) { $0 + ($1.1 - $1.0) } / Float(out.count)
      #expect(behind < 2.5, "frame \(frame): \(behind) levels behind")
    }
    // It does stand still but for that.
    #expect(behind > 0.2)
  }

  @Test("does not average fine texture that moves by less than a pixel")
  func texture() {
    let (width, height) = (Self.width, Self.height)
    func weave(_ shift: Float) -> [Float] {
      (0..<height * width).flatMap { pixel in
        let (x, y) = (Float(pixel % width) + shift, Float(pixel / width))
        return [Float](repeating: 120 + 20 * sinf(1.9 * x) * cosf(1.7 * y), count: 3)
      }
    }
    let history = History(width, height, noise: 3)
    for frame in 0..<20 {
      _ = history.blend(noisy(weave(Float(frame) * 0.3), 3, seed: UInt64(frame + 1)))
    }
    let clean = weave(6)
    #expect(deviation(history.blend(noisy(clean, 3, seed: 90)), clean) < 4)
  }

  @Test("begins anew where it is cleared, to the last bit")
  func clearing() throws {
    let fusion = try CPUDevice(precision: .f32, threads: 2)
      .makeMotionFusion(height: Self.height, width: Self.width)
    let pictures = (0..<5).map { number in
      let made = fusion.makePicture()
      fusion.load(noisy(scene(), 9, seed: UInt64(number + 1)), into: made)
      return made
    }
    let results = [true, false].map { isUsed in
      let history = fusion.makeHistory()
      var fused = scene()
      if isUsed {
        // So far away that rounding would tell.
        let far = fusion.makePicture()
        fusion.load(scene().map { 1e6 * $0 }, into: far)
        fusion.take(far, into: history, most: 32)
        fusion.clear(history)
        fusion.fuse(
          [pictures[4]], at: 0, noise: 0, history: history, into: &fused)
        // Of nothing it has nothing to give.
        #expect(fused == noisy(scene(), 9, seed: 5))
      }
      for picture in pictures[..<2] { fusion.take(picture, into: history, most: 32) }
      fusion.fuse(
        [pictures[4]], at: 0, noise: 0, history: history, into: &fused)
      return fused
    }
    #expect(results[0] == results[1])
    #expect(deviation(results[0], scene()) < 6.5)
  }

  @Test(
    "has pictures of any size, and the same result for any number of threads",
    arguments: [(1, 1), (3, 2), (15, 40), (17, 33), (64, 97), (301, 18)])
  func sizes(width: Int, height: Int) {
    let frames = (0..<4).map { noisy(scene(width, height), 8, seed: UInt64($0 + 1)) }
    withEachInstructionSet { isa in
      let results = [Int32(1), 2, 5].map { threads in
        let history = History(width, height, noise: 8, threads: threads)
        return frames.map { history.blend($0) }
      }
      #expect(results.allSatisfy { $0 == results[0] }, "set \(isa)")
      #expect(results[0].joined().allSatisfy { $0.isFinite })
    }
  }
}
