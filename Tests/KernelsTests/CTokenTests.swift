import CKernels
import Foundation
import Testing

@Suite("Work on tokens in C")
struct CTokenTests {
  private static let shapes = [(1, 1), (5, 3), (4, 16), (3, 65), (300, 80)]

  @Test("Division by the root mean square agrees with double precision", arguments: shapes)
  func rmsNorm(rows: Int, channels: Int) {
    var noise = Noise(1)
    let epsilon: Float = 1e-6
    let weight = noise.normals(channels, plus: 1)
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(rows * channels, times: 3, plus: 1))
      let expected = (0..<rows).flatMap { row -> [Double] in
        let values = x[row * channels..<(row + 1) * channels].map { Double($0) }
        let mean = values.reduce(0) { $0 + $1 * $1 } / Double(channels)
        let scale = 1 / (mean + Double(epsilon)).squareRoot()
        return zip(values, weight).map { $0 * scale * Double($1) }
      }
      withEachInstructionSet { isa in
        for threads: Int32 in [1, 2] {
          let out = Guarded(type, x)
          tdm_rms_norm(type, out.start, out.start, rows, channels, epsilon, weight, threads)
          let distance = Distance(out.values(type), from: expected)
          #expect(distance.relative < type.tolerance && out.isIntact, "set \(isa): \(distance)")
        }
      }
    }
  }

  @Test("Rows are scaled and shifted alike", arguments: shapes)
  func scaling(rows: Int, channels: Int) {
    var noise = Noise(2)
    let scale = noise.normals(channels)
    let shift = noise.normals(channels)
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(rows * channels))
      let addend = type.rounded(noise.normals(rows * channels))
      for (offset, shifts, adds) in [(Float(1), true, false), (0, false, true), (0.5, true, true)] {
        let expected = x.indices.map { i in
          (adds ? Double(addend[i]) : 0)
            + Double(x[i]) * (Double(offset) + Double(scale[i % channels]))
            + (shifts ? Double(shift[i % channels]) : 0)
        }
        withEachInstructionSet { isa in
          for threads: Int32 in [1, 2] {
            let out = Guarded(type, x)
            let added = Guarded(type, addend)
            shift.withUnsafeBufferPointer { shift in
              tdm_scale_rows(
                type, out.start, out.start, adds ? added.start : nil, offset, scale,
                shifts ? shift.baseAddress : nil, rows, channels, threads)
            }
            let distance = Distance(out.values(type), from: expected)
            #expect(distance.relative < type.tolerance && out.isIntact, "set \(isa): \(distance)")
            #expect(added.isIntact)
          }
        }
      }
    }
  }

  @Test("Products agree with double precision", arguments: [1, 17, 40000])
  func products(count: Int) {
    var noise = Noise(3)
    for type in tdm_type.all {
      let a = type.rounded(noise.normals(count))
      let b = type.rounded(noise.normals(count))
      let expected = zip(a, b).map { Double($0) * Double($1) }
      withEachInstructionSet { isa in
        let (out, other) = (Guarded(type, a), Guarded(type, b))
        tdm_multiply(type, out.start, out.start, other.start, count, 2)
        #expect(other.isIntact)
        let distance = Distance(out.values(type), from: expected)
        #expect(distance.relative < type.tolerance && out.isIntact, "set \(isa): \(distance)")
      }
    }
  }

  @Test(
    "Attention with a bias agrees with double precision",
    arguments: [(1, 1, 1), (5, 2, 3), (24, 4, 8), (226, 3, 64)])
  func biasedAttention(tokens: Int, heads: Int, dimension: Int) {
    var noise = Noise(4)
    let channels = heads * dimension
    let bias = noise.normals(heads * tokens * tokens, times: 2)
    for type in tdm_type.all {
      let (q, k, v) = (
        type.rounded(noise.normals(tokens * channels, times: 0.5)),
        type.rounded(noise.normals(tokens * channels, times: 0.5)),
        type.rounded(noise.normals(tokens * channels))
      )
      var expected = [Double](repeating: 0, count: tokens * channels)
      for head in 0..<heads {
        for t in 0..<tokens {
          let scores = (0..<tokens).map { s in
            (0..<dimension).reduce(Double(bias[(head * tokens + t) * tokens + s])) {
              $0 + Double(q[t * channels + head * dimension + $1])
                * Double(k[s * channels + head * dimension + $1])
            }
          }
          let most = scores.max()!
          let weights = scores.map { exp($0 - most) }
          let total = weights.reduce(0, +)
          for d in 0..<dimension {
            expected[t * channels + head * dimension + d] =
              (0..<tokens).reduce(0) {
                $0 + weights[$1] * Double(v[$1 * channels + head * dimension + d])
              } / total
          }
        }
      }
      withEachInstructionSet { isa in
        for threads: Int32 in [1, 2] {
          let out = Guarded(type, count: tokens * channels)
          let scratch = Guarded(
            byteCount: tdm_biased_attention_scratch(tokens, heads, dimension))
          let inputs = [q, k, v].map { Guarded(type, $0) }
          tdm_biased_attention(
            type, out.start, inputs[0].start, inputs[1].start, inputs[2].start, bias, tokens, heads,
            dimension, scratch.start, threads)
          #expect(inputs.allSatisfy { $0.isIntact })
          let distance = Distance(out.values(type), from: expected)
          #expect(distance.relative < 2 * type.tolerance, "set \(isa): \(distance)")
          #expect(out.isIntact && scratch.isIntact)
        }
      }
    }
  }
}
