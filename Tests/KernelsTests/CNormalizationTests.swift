import CKernels
import Testing

/// [rows, channels] normalized over each group's channels of all rows, in double precision.
private func naiveGroupNorm(
  _ x: [Float], channels: Int, groups: Int, epsilon: Float, weight: [Float], bias: [Float],
  activation: tdm_activation
) -> [Double] {
  let pixels = x.count / channels
  let width = channels / groups
  var out = [Double](repeating: 0, count: x.count)
  for group in 0..<groups {
    let indices = (0..<pixels).flatMap { p in
      (0..<width).map { p * channels + group * width + $0 }
    }
    let count = Double(indices.count)
    let mean = indices.reduce(0.0) { $0 + Double(x[$1]) } / count
    let variance =
      indices.reduce(0.0) { $0 + (Double(x[$1]) - mean) * (Double(x[$1]) - mean) } / count
    let scale = 1 / (variance + Double(epsilon)).squareRoot()
    for i in indices {
      let c = i % channels
      let y = (Double(x[i]) - mean) * scale * Double(weight[c]) + Double(bias[c])
      out[i] = activated(y, activation)
    }
  }
  return out
}

private func groupNorm(
  _ type: tdm_type, _ x: [Float], channels: Int, groups: Int, epsilon: Float, weight: [Float],
  bias: [Float], activation: tdm_activation, threads: Int32 = 1, inPlace: Bool = false
) -> [Float] {
  let pixels = x.count / channels
  let input = Guarded(type, x)
  let out = inPlace ? input : Guarded(type, count: x.count)
  let scratch = Guarded(byteCount: tdm_group_norm_scratch(pixels, channels))
  tdm_group_norm(
    type, out.start, input.start, pixels, channels, groups, epsilon, weight, bias, activation,
    scratch.start, threads)
  #expect(out.isIntact && scratch.isIntact && input.isIntact, "\(pixels) x \(channels)")
  return out.values(type)
}

@Suite("Normalization in C")
struct CNormalizationTests {
  @Test(
    "Group normalization agrees with double precision",
    arguments: [
      (pixels: 1, channels: 8, groups: 2), (7, 10, 5), (33, 64, 32), (90, 40, 8), (150, 33, 3),
      (1100, 4, 1), (20, 96, 1),
    ])
  func groups(pixels: Int, channels: Int, groups: Int) {
    var noise = Noise(UInt64(pixels))
    let weight = noise.normals(channels)
    let bias = noise.normals(channels)
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(pixels * channels, times: 3, plus: 1))
      for activation in everyActivation {
        let expected = naiveGroupNorm(
          x, channels: channels, groups: groups, epsilon: 1e-5, weight: weight, bias: bias,
          activation: activation)
        withEachInstructionSet { isa in
          for inPlace in [false, true] {
            let found = groupNorm(
              type, x, channels: channels, groups: groups, epsilon: 1e-5, weight: weight,
              bias: bias, activation: activation, inPlace: inPlace)
            let distance = Distance(found, from: expected)
            #expect(distance.relative < type.tolerance, "\(activation), set \(isa): \(distance)")
          }
        }
      }
    }
  }

  @Test("A mean a thousand times the deviation does not drown the variance")
  func farMean() {
    let channels = 35
    let pixels = 300
    var noise = Noise(2)
    let x = noise.normals(pixels * channels, plus: 1000)
    let weight = [Float](repeating: 1, count: channels)
    let bias = [Float](repeating: 0, count: channels)
    let expected = naiveGroupNorm(
      x, channels: channels, groups: 5, epsilon: 0, weight: weight, bias: bias,
      activation: TDM_NONE)
    withEachInstructionSet { isa in
      let found = groupNorm(
        TDM_F32, x, channels: channels, groups: 5, epsilon: 0, weight: weight, bias: bias,
        activation: TDM_NONE)
      let distance = Distance(found, from: expected)
      #expect(distance.relative < 1e-4, "set \(isa): \(distance)")
    }
  }

  @Test("The number of threads does not show in a group norm")
  func threads() {
    let channels = 40
    let pixels = 1000
    var noise = Noise(3)
    let weight = noise.normals(channels)
    let bias = noise.normals(channels)
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(pixels * channels))
      let results = [1, 2, 3].map { (threads: Int32) in
        groupNorm(
          type, x, channels: channels, groups: 4, epsilon: 1e-6, weight: weight, bias: bias,
          activation: TDM_SILU, threads: threads)
      }
      #expect(results[1] == results[0] && results[2] == results[0])
    }
  }

  @Test("A pixel that is not a number shows in its group")
  func notANumber() {
    var noise = Noise(4)
    var x = noise.normals(20 * 8)
    x[3] = .nan
    let ones = [Float](repeating: 1, count: 8)
    let out = groupNorm(
      TDM_F32, x, channels: 8, groups: 2, epsilon: 1e-5, weight: ones, bias: ones,
      activation: TDM_NONE)
    #expect(out.indices.allSatisfy { out[$0].isNaN == ($0 % 8 < 4) })
  }

  @Test(
    "Layer normalization agrees with double precision",
    arguments: [(1, 1), (3, 7), (5, 32), (700, 48), (9, 321), (2, 640)])
  func layers(rows: Int, channels: Int) {
    var noise = Noise(UInt64(rows))
    let weight = noise.normals(channels)
    let bias = noise.normals(channels)
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(rows * channels, times: 2, plus: 5))
      // A row is a group of one pixel.
      let expected = (0..<rows).flatMap { row in
        naiveGroupNorm(
          Array(x[(row * channels)..<((row + 1) * channels)]), channels: channels, groups: 1,
          epsilon: 1e-5, weight: weight, bias: bias, activation: TDM_NONE)
      }
      withEachInstructionSet { isa in
        var first: [Float] = []
        for (threads, inPlace): (Int32, Bool) in [(1, false), (2, true), (3, false)] {
          let input = Guarded(type, x)
          let out = inPlace ? input : Guarded(type, count: x.count)
          tdm_layer_norm(
            type, out.start, input.start, rows, channels, 1e-5, weight, bias, threads)
          #expect(out.isIntact && input.isIntact)
          let found = out.values(type)
          if first.isEmpty { first = found }
          #expect(found == first, "set \(isa), \(threads) threads")
        }
        let distance = Distance(first, from: expected)
        #expect(distance.relative < type.tolerance, "set \(isa): \(distance)")
      }
    }
  }
}
