import CKernels
import Foundation
import Kernels
import Testing

@Suite("In C, fusion by rank")
struct CRankFusionTests {
  /// With canaries around all that it writes.
  private func fused(
    _ own: [Float], with others: [[Float]], flow: (x: Float, y: Float) = (0, 0), _ width: Int,
    _ height: Int, threads: Int32 = 2
  ) -> [Float] {
    let area = (width / 2) * (height / 2)
    let pictures = ([own] + others).map { Guarded(TDM_F32, $0) }
    let motion = Guarded(
      TDM_F32,
      [Float](repeating: flow.x, count: area) + [Float](repeating: flow.y, count: area))
    let out = Guarded(TDM_F32, count: own.count)
    let scratch = Guarded(TDM_F32, count: tdm_rank_fusion_scratch_count(width, threads))
    #expect(
      tdm_rank_fusion_scratch_count(width, threads) <= tdm_fusion_scratch_count(width, threads))
    let neighbours = pictures.dropFirst().map { UnsafePointer($0.floats) as UnsafePointer<Float>? }
    let flows = others.map { _ in UnsafePointer(motion.floats) as UnsafePointer<Float>? }
    tdm_rank_fusion(
      out.floats, pictures[0].floats, neighbours, flows, others.count, width, height,
      scratch.floats, threads)
    let all = [motion, out, scratch] + pictures
    #expect(withExtendedLifetime(all) { all.allSatisfy(\.isIntact) })
    return out.values(TDM_F32)
  }

  private func luma(_ rgb: [Float]) -> Float {
    0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
  }

  /// The same in plain words, of pictures in their places.
  private func expected(_ own: [Float], _ others: [[Float]]) -> [Float] {
    stride(from: 0, to: own.count, by: 3).flatMap { pixel -> [Float] in
      let ranked = ([own] + others).map { Array($0[pixel..<pixel + 3]) }
        .sorted { luma($0) < luma($1) }
      let apart = (luma(ranked[1]) - luma(ranked[0])) / 16 - 1
      let share = exp(-max(apart, 0))
      return (0..<3).map { own[pixel + $0] + share * (ranked[1][$0] - own[pixel + $0]) }
    }
  }

  private func picture(_ count: Int, seed: UInt64, about: Float = 120, by: Float) -> [Float] {
    var numbers = Noise(seed)
    return numbers.normals(count, times: by, plus: about)
  }

  @Test(
    "gives of each pixel the second darkest, all three channels of it, as far as the darkest is like it",
    arguments: [2, 3, 4, 7])
  func ranks(count: Int) {
    let (width, height) = (37, 22)
    let own = picture(width * height * 3, seed: 1, by: 30)
    let others = (1...count).map { picture(width * height * 3, seed: UInt64(10 + $0), by: 30) }
    let plain = expected(own, others)
    // Here and there the two are apart.
    #expect(zip(plain, own).contains { abs($0 - $1) > 1 })
    withEachInstructionSet { isa in
      let found = fused(own, with: others, width, height)
      #expect(zip(found, plain).allSatisfy { abs($0 - $1) < 0.01 }, "set \(isa)")
    }
  }

  @Test("looks for it along the motion")
  func motion() {
    let (width, height, right, down) = (64, 48, 6, 4)
    let own = picture(width * height * 3, seed: 1, by: 8)
    let others = (2...5).map { picture(width * height * 3, seed: $0, by: 8) }
    let plain = expected(own, others)
    // Each pixel of the others lies 6 to the right and 4 further down.
    let moved = others.map { other in
      (0..<height * width).flatMap { pixel -> [Float] in
        let (y, x) = (max(pixel / width - down, 0), max(pixel % width - right, 0))
        return Array(other[3 * (y * width + x)..<3 * (y * width + x) + 3])
      }
    }
    withEachInstructionSet { isa in
      let found = fused(own, with: moved, flow: (3, 2), width, height)
      for y in 0..<height - down - 2 {
        for index in 3 * y * width..<3 * (y * width + width - right - 3) {
          #expect(abs(found[index] - plain[index]) < 0.01, "set \(isa): \(index)")
        }
      }
    }
  }

  @Test("frees a scene of what falls before it, and leaves what is dark in it")
  func rain() {
    let (width, height) = (96, 64)
    var scene = picture(width * height * 3, seed: 1, about: 100, by: 1)
    for index in 3 * 30 * width..<3 * 34 * width { scene[index] -= 60 }
    // Drops of up to 90 levels on a tenth of the pixels, new in every frame.
    let frames = (2...6).map { (seed: UInt64) -> [Float] in
      var numbers = Noise(seed)
      return (0..<width * height).flatMap { pixel -> [Float] in
        let drop: Float = numbers.normal() > 1.3 ? 90 : 0
        return (0..<3).map { scene[3 * pixel + $0] + drop + numbers.normal() }
      }
    }
    func error(_ frame: [Float]) -> Float {
      (zip(frame, scene).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Float(scene.count))
        .squareRoot()
    }
    #expect(error(frames[0]) > 25)
    #expect(error(fused(frames[0], with: Array(frames[1...]), width, height)) < 5)
  }

  @Test("is what a device's fusion does with pictures whose motion it finds")
  func device() throws {
    let (width, height) = (160, 120)
    let fusion = try CPUDevice(precision: .f32, threads: 2)
      .makeMotionFusion(height: height, width: width)
    // A camera that moves by two pixels, and drops on a tenth of the pixels.
    let scene = (-2...2).map { frame in
      (0..<height * width).flatMap { pixel in
        let (x, y) = (Float(pixel % width + 2 * frame), Float(pixel / width))
        let waves = 30 * sinf(0.25 * x + 0.1 * y) + 20 * sinf(0.3 * y - 0.05 * x)
        return [Float](repeating: 100 + waves, count: 3)
      }
    }
    let pictures = scene.enumerated().map { index, clean in
      var numbers = Noise(UInt64(index + 2))
      let made = fusion.makePicture()
      let rainy = (0..<width * height).flatMap { pixel -> [Float] in
        let drop: Float = numbers.normal() > 1.3 ? 90 : 0
        return (0..<3).map { clean[3 * pixel + $0] + drop }
      }
      fusion.load(rainy, into: made)
      return made
    }
    func error(_ picture: [Float], _ clean: [Float]) -> Float {
      (zip(picture, clean).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Float(clean.count))
        .squareRoot()
    }
    var (own, fused) = (scene[2], scene[2])
    for (place, clean) in scene.enumerated() {
      fusion.store(pictures[place], into: &own)
      fusion.fuseByRank(pictures, at: place, into: &fused)
      #expect(error(own, clean) > 25 && error(fused, clean) < 9, "\(place): \(error(fused, clean))")
    }
    fusion.store(pictures[1], into: &own)
    fusion.fuseByRank(Array(pictures[..<2]), at: 1, into: &fused)
    #expect(fused == own)
  }

  @Test("leaves as it is what has fewer than two others")
  func few() {
    let own = picture(12 * 10 * 3, seed: 1, by: 20)
    #expect(fused(own, with: [], 12, 10) == own)
    #expect(fused(own, with: [picture(12 * 10 * 3, seed: 2, by: 20)], 12, 10) == own)
  }

  @Test(
    "has pictures of any size, and the same result for any number of threads",
    arguments: [(1, 1), (3, 2), (1, 17), (17, 33), (301, 18)])
  func sizes(width: Int, height: Int) {
    let own = picture(width * height * 3, seed: 1, by: 10)
    let others = (2...4).map { picture(width * height * 3, seed: $0, by: 10) }
    withEachInstructionSet { isa in
      // Far outside, too, where the border is repeated.
      for flow in [(Float(0), Float(0)), (0.3, -0.7), (-400, 1e9)] {
        let one = fused(own, with: others, flow: flow, width, height, threads: 1)
        #expect(
          one == fused(own, with: others, flow: flow, width, height, threads: 3), "set \(isa)")
        #expect(one.allSatisfy { abs($0) < 1000 }, "set \(isa)")
        if flow == (0, 0) {
          #expect(
            zip(one, expected(own, others)).allSatisfy { abs($0 - $1) < 0.01 }, "set \(isa)")
        }
      }
    }
  }
}

extension Guarded {
  fileprivate var floats: UnsafeMutablePointer<Float> { start.assumingMemoryBound(to: Float.self) }
}
