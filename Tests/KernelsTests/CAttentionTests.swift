import CAMXEmulation
import CKernels
import Foundation
import Testing

/// One call of attention: what it reads, and what it must write.
private struct Case: CustomStringConvertible {
  var queries: Int, keys: Int, heads: Int, headDimension: Int
  var sources = 1
  var causal = false
  var scale: Float?
  /// Elements between rows beyond heads x headDimension, of q, of k and v, and of out.
  var gaps = (0, 0, 0)

  var channels: Int { heads * headDimension }
  var usedScale: Float { scale ?? 1 / Float(headDimension).squareRoot() }
  var description: String {
    "\(queries) x \(keys), \(heads) x \(headDimension), \(sources) sources"
      + (causal ? ", causal" : "") + ", scale \(usedScale)"
  }
}

private struct Inputs {
  let q: [Float]
  let k: [[Float]], v: [[Float]]

  init(_ c: Case, _ type: tdm_type, seed: UInt64, spread: Float = 2) {
    var noise = Noise(seed)
    q = type.rounded(noise.normals(c.queries * (c.channels + c.gaps.0), times: spread))
    let count = c.keys * (c.channels + c.gaps.1)
    k = (0..<c.sources).map { _ in type.rounded(noise.normals(count)) }
    v = (0..<c.sources).map { _ in type.rounded(noise.normals(count)) }
  }
}

/// out, [queries, channels], in double precision.
private func naive(_ c: Case, _ x: Inputs, _ type: tdm_type) -> [Double] {
  let stride = c.channels + c.gaps.1
  let qStride = c.channels + c.gaps.0
  func mean(_ y: [[Float]]) -> [Double] {
    y[0].indices.map { i in
      let sum = y.reduce(0.0) { $0 + Double($1[i]) } / Double(c.sources)
      // The mean of bfloat16 rows is bfloat16 where the kernels multiply that.
      return type == TDM_BF16 && c.sources > 1 ? Double(roundedToBF16(Float(sum))) : sum
    }
  }
  let k = mean(x.k)
  let v = mean(x.v)
  var out = [Double](repeating: 0, count: c.queries * c.channels)
  for i in 0..<c.queries {
    let seen = c.causal ? min(i + 1, c.keys) : c.keys
    for head in 0..<c.heads {
      let first = head * c.headDimension
      var weights = (0..<seen).map { j in
        var sum = 0.0
        for d in first..<(first + c.headDimension) {
          sum += Double(x.q[i * qStride + d]) * k[j * stride + d]
        }
        return sum * Double(c.usedScale)
      }
      let top = weights.max() ?? 0
      weights = weights.map { exp($0 - top) }
      let total = weights.reduce(0, +)
      for d in first..<(first + c.headDimension) {
        var sum = 0.0
        for j in 0..<seen { sum += weights[j] * v[j * stride + d] }
        out[i * c.channels + d] = sum / total
      }
    }
  }
  return out
}

private enum Kernel { case current, emulatedAMX }

/// What attention writes, rows without their gaps. Checks that nothing else was written.
private func attend(
  _ c: Case, _ x: Inputs, _ type: tdm_type, threads: Int32 = 1, by kernel: Kernel = .current
) -> [Float] {
  let q = Guarded(type, x.q)
  let k = x.k.map { Guarded(type, $0) }
  let v = x.v.map { Guarded(type, $0) }
  let (qStride, kvStride) = (c.channels + c.gaps.0, c.channels + c.gaps.1)
  let outStride = c.channels + c.gaps.2
  let out = Guarded(type, count: c.queries * outStride)
  let before = out.bytes
  let keys = k.map { UnsafeRawPointer($0.start) as UnsafeRawPointer? }
  let values = v.map { UnsafeRawPointer($0.start) as UnsafeRawPointer? }
  let scratch: Guarded
  switch kernel {
  case .current:
    scratch = Guarded(
      byteCount: tdm_attention_scratch(type, c.keys, c.heads, c.headDimension, threads))
    tdm_attention(
      type, out.start, q.start, keys, values, c.sources, c.queries, c.keys, c.heads,
      c.headDimension, qStride, kvStride, outStride, c.usedScale, c.causal ? 1 : 0,
      scratch.start, threads)
  case .emulatedAMX:
    scratch = Guarded(
      byteCount: tdm_emulated_amx_attention_scratch(c.keys, c.heads, c.headDimension, threads))
    let released = tdm_emulated_amx_attention(
      out.start, q.start, keys, values, c.sources, c.queries, c.keys, c.heads, c.headDimension,
      qStride, kvStride, outStride, c.usedScale, c.causal ? 1 : 0, scratch.start, threads)
    #expect(released != 0, "\(c): tile registers were not released")
  }
  #expect(out.isIntact && scratch.isIntact, "\(c): wrote outside out or scratch")
  #expect((k + v + [q]).allSatisfy { $0.isIntact }, "\(c): wrote around an input")
  let after = out.bytes
  var gapsUntouched = true
  for row in 0..<c.queries {
    let from = (row * outStride + c.channels) * type.size
    let to = (row + 1) * outStride * type.size
    if after[from..<to] != before[from..<to] { gapsUntouched = false }
  }
  #expect(gapsUntouched, "\(c): wrote between the rows of out")
  let all = out.values(type)
  return (0..<c.queries).flatMap { all[($0 * outStride)..<($0 * outStride + c.channels)] }
}

@Suite("Attention in C")
struct CAttentionTests {
  private static let cases = [
    Case(queries: 1, keys: 1, heads: 1, headDimension: 4),
    Case(queries: 17, keys: 77, heads: 3, headDimension: 8),
    Case(queries: 16, keys: 16, heads: 2, headDimension: 10, gaps: (20, 20, 0)),
    Case(queries: 9, keys: 200, heads: 1, headDimension: 40, gaps: (3, 7, 5)),
    Case(queries: 33, keys: 31, heads: 2, headDimension: 16, causal: true),
    Case(queries: 70, keys: 70, heads: 1, headDimension: 24, sources: 3, gaps: (1, 0, 2)),
    Case(queries: 5, keys: 33, heads: 1, headDimension: 80, sources: 2),
    Case(queries: 3, keys: 20, heads: 1, headDimension: 160, scale: -0.05),
    Case(queries: 4, keys: 18, heads: 3, headDimension: 7, scale: 0),
    Case(queries: 2, keys: 18, heads: 1, headDimension: 512),
    Case(queries: 210, keys: 400, heads: 1, headDimension: 4, causal: true),
    Case(queries: 10, keys: 3, heads: 1, headDimension: 33, causal: true),
  ]

  @Test("It agrees with double precision, whatever the instruction set, the type and the shape")
  func agrees() {
    for (seed, c) in Self.cases.enumerated() {
      for type in tdm_type.all {
        let x = Inputs(c, type, seed: UInt64(seed))
        let expected = naive(c, x, type)
        // Probabilities are bfloat16 too, and processors without bfloat16 products do not round
        // means.
        let tolerance = type == TDM_F32 ? 2e-6 : c.sources == 1 ? 4e-3 : 8e-3
        withEachInstructionSet { isa in
          let distance = Distance(attend(c, x, type), from: expected)
          #expect(distance.relative < tolerance, "\(c), type \(type), set \(isa): \(distance)")
        }
        if type == TDM_BF16 {
          let distance = Distance(attend(c, x, type, by: .emulatedAMX), from: expected)
          #expect(distance.relative < tolerance, "\(c), emulated AMX: \(distance)")
        }
      }
    }
  }

  @Test("The number of threads does not show in the result")
  func threads() {
    for c in [
      Case(queries: 150, keys: 40, heads: 3, headDimension: 8),
      Case(queries: 70, keys: 230, heads: 1, headDimension: 16, causal: true),
    ] {
      for type in tdm_type.all {
        let x = Inputs(c, type, seed: 5)
        withEachInstructionSet { isa in
          let one = attend(c, x, type)
          for threads: Int32 in [2, 3] {
            #expect(attend(c, x, type, threads: threads) == one, "\(c), set \(isa), \(threads)")
          }
        }
        if type == TDM_BF16 {
          let one = attend(c, x, type, by: .emulatedAMX)
          #expect(attend(c, x, type, threads: 2, by: .emulatedAMX) == one)
        }
      }
    }
  }

  @Test("Scores that grow from block to block, by hundreds, neither overflow nor vanish")
  func growingScores() {
    let c = Case(queries: 3, keys: 600, heads: 1, headDimension: 2, scale: 1)
    let patterns: [(name: String, score: (Int) -> Float)] = [
      ("growing", { Float($0) * 0.5 }), ("falling", { Float($0) * -0.5 }),
      // Enough to move the reference, little enough for what came before to weigh as much.
      ("one high", { $0 == 500 ? 6.5 : 0 }),
    ]
    for (name, score) in patterns {
      for type in tdm_type.all {
        let q = (0..<c.queries).flatMap { _ -> [Float] in [1, 0.125] }
        let k = type.rounded((0..<c.keys).flatMap { i -> [Float] in [score(i), Float(i % 7)] })
        let x = Inputs(q: q, k: [k], v: Inputs(c, type, seed: 9).v)
        let expected = naive(c, x, type)
        withEachInstructionSet { isa in
          let distance = Distance(attend(c, x, type), from: expected)
          #expect(distance.relative < type.tolerance * 2, "\(name), set \(isa): \(distance)")
        }
        if type == TDM_BF16 {
          let distance = Distance(attend(c, x, type, by: .emulatedAMX), from: expected)
          #expect(distance.relative < type.tolerance * 2, "\(name), emulated AMX: \(distance)")
        }
      }
    }
  }

  @Test("The mean over equal frames is the frame")
  func equalFrames() {
    let one = Case(queries: 20, keys: 50, heads: 2, headDimension: 12)
    var four = one
    four.sources = 4
    for type in tdm_type.all {
      let x = Inputs(one, type, seed: 3)
      let repeated = Inputs(
        q: x.q, k: .init(repeating: x.k[0], count: 4), v: .init(repeating: x.v[0], count: 4))
      withEachInstructionSet { isa in
        #expect(attend(four, repeated, type) == attend(one, x, type), "set \(isa)")
      }
    }
  }

  @Test("A value that is not a number shows in the rows that see it, and only there")
  func notANumber() {
    let c = Case(queries: 40, keys: 40, heads: 1, headDimension: 8, causal: true)
    for type in tdm_type.all {
      let x = Inputs(c, type, seed: 4)
      var k = x.k[0]
      k[20 * 8] = .nan
      withEachInstructionSet { isa in
        let out = attend(c, Inputs(q: x.q, k: [k], v: x.v), type)
        let poisoned = (0..<40).map { row in out[row * 8].isNaN }
        #expect(poisoned == (0..<40).map { $0 >= 20 }, "set \(isa)")
      }
    }
  }

  @Test("Without keys the result is zero")
  func noKeys() {
    let c = Case(queries: 3, keys: 0, heads: 2, headDimension: 5)
    for type in tdm_type.all {
      #expect(attend(c, Inputs(c, type, seed: 1), type).allSatisfy { $0 == 0 })
    }
  }
}

extension Inputs {
  fileprivate init(q: [Float], k: [[Float]], v: [[Float]]) { (self.q, self.k, self.v) = (q, k, v) }
}
