import CKernels
import Foundation
import Testing

/// One call of local attention: its shapes.
private struct Case: CustomStringConvertible {
  var height, width, keyChannels, valueChannels: Int
  var reach = 3
  var sources = 1
  var scale: Float = 0.5
  /// How large queries are: large ones have one key win, far above those before it.
  var spread: Float = 1

  var side: Int { 2 * reach + 1 }
  var description: String {
    "\(height) x \(width), \(keyChannels) and \(valueChannels) channels, reach \(reach), \(sources) sources"
  }
}

private struct Inputs {
  let q: [Float]
  let k, v, biases: [[Float]]

  init(_ c: Case, _ type: tdm_type, seed: UInt64) {
    var noise = Noise(seed)
    let positions = c.height * c.width
    q = type.rounded(noise.normals(positions * c.keyChannels, times: c.spread))
    k = (0..<c.sources).map { _ in type.rounded(noise.normals(positions * c.keyChannels)) }
    v = (0..<c.sources).map { _ in type.rounded(noise.normals(positions * c.valueChannels)) }
    biases = (0..<c.sources).map { _ in noise.normals(c.side * c.side) }
  }
}

/// In double precision, as the definition says.
private func naive(_ c: Case, _ x: Inputs) -> [Double] {
  var out: [Double] = []
  for y in 0..<c.height {
    for column in 0..<c.width {
      var scores: [(score: Double, source: Int, position: Int)] = []
      let query = (y * c.width + column) * c.keyChannels
      for source in 0..<c.sources {
        for dy in -c.reach...c.reach {
          for dx in -c.reach...c.reach
          where (0..<c.height).contains(y + dy) && (0..<c.width).contains(column + dx) {
            let position = (y + dy) * c.width + column + dx
            let product = (0..<c.keyChannels).reduce(0.0) {
              $0 + Double(x.q[query + $1]) * Double(x.k[source][position * c.keyChannels + $1])
            }
            let bias = x.biases[source][(dy + c.reach) * c.side + dx + c.reach]
            scores.append((product * Double(c.scale) + Double(bias), source, position))
          }
        }
      }
      let top = scores.map(\.score).max()!
      let weights = scores.map { exp($0.score - top) }
      let total = weights.reduce(0, +)
      for channel in 0..<c.valueChannels {
        let sum = zip(weights, scores).reduce(0.0) { sum, pair in
          let (weight, (_, source, position)) = pair
          return sum + weight * Double(x.v[source][position * c.valueChannels + channel])
        }
        out.append(sum / total)
      }
    }
  }
  return out
}

/// What local attention writes. Checks that nothing else was written.
private func attend(_ c: Case, _ x: Inputs, _ type: tdm_type, threads: Int32 = 1) -> [Float] {
  let q = Guarded(type, x.q)
  let k = x.k.map { Guarded(type, $0) }
  let v = x.v.map { Guarded(type, $0) }
  let biases = x.biases.map { Guarded(TDM_F32, $0) }
  let out = Guarded(type, count: c.height * c.width * c.valueChannels)
  let scratch = Guarded(
    byteCount: tdm_local_attention_scratch(c.keyChannels, c.valueChannels, c.reach, threads))
  tdm_local_attention(
    type, out.start, q.start, k.map { UnsafeRawPointer($0.start) },
    v.map { UnsafeRawPointer($0.start) },
    biases.map { UnsafePointer($0.start.assumingMemoryBound(to: Float.self)) }, c.sources,
    c.height, c.width, c.keyChannels, c.valueChannels, c.reach, c.scale, scratch.start, threads)
  #expect(out.isIntact && scratch.isIntact, "\(c): wrote outside out or scratch")
  #expect((k + v + biases + [q]).allSatisfy { $0.isIntact }, "\(c): wrote around an input")
  return out.values(type)
}

@Suite("Local attention in C")
struct CLocalAttentionTests {
  /// Smaller and larger than a tile, narrower than the reach, channels that fill no vector, channels that fill several.
  private static let cases = [
    Case(height: 1, width: 1, keyChannels: 1, valueChannels: 1),
    Case(height: 2, width: 3, keyChannels: 16, valueChannels: 32, reach: 3, sources: 2),
    Case(height: 9, width: 17, keyChannels: 16, valueChannels: 32, reach: 3, sources: 7),
    Case(height: 5, width: 16, keyChannels: 7, valueChannels: 5, reach: 1, sources: 3),
    Case(height: 12, width: 70, keyChannels: 16, valueChannels: 16, reach: 2, sources: 2),
    Case(height: 19, width: 131, keyChannels: 8, valueChannels: 48, reach: 3, sources: 2),
    Case(height: 3, width: 40, keyChannels: 33, valueChannels: 70, reach: 4, scale: -0.3),
    Case(height: 11, width: 9, keyChannels: 4, valueChannels: 24, reach: 0, sources: 5),
    Case(height: 6, width: 8, keyChannels: 12, valueChannels: 20, reach: 8, sources: 2),
    Case(
      height: 10, width: 21, keyChannels: 16, valueChannels: 32, reach: 3, sources: 4, spread: 60),
  ]

  @Test("It agrees with double precision, whatever the instruction set, the type and the shape")
  func agrees() {
    for (seed, c) in Self.cases.enumerated() {
      for type in tdm_type.all {
        let x = Inputs(c, type, seed: UInt64(seed))
        let expected = naive(c, x)
        withEachInstructionSet { isa in
          let distance = Distance(attend(c, x, type), from: expected)
          // Scores of a hundred lose as many times the last digit.
          #expect(
            distance.relative <= type.tolerance * Double(max(1, c.spread)),
            "\(c), \(type == TDM_F32 ? "f32" : "bf16"), set \(isa): \(distance)")
        }
      }
    }
  }

  @Test("It agrees on random shapes")
  func agreesOnRandomShapes() {
    var noise = Noise(77)
    func number(_ range: ClosedRange<Int>) -> Int {
      range.lowerBound + Int(noise.bits() % UInt64(range.count))
    }
    for seed in 0..<24 {
      let c = Case(
        height: number(1...20), width: number(1...90), keyChannels: number(1...40),
        valueChannels: number(1...70), reach: number(0...4), sources: number(1...4),
        scale: 1 / 4)
      let type = tdm_type.all[seed % 2]
      let x = Inputs(c, type, seed: UInt64(seed))
      let expected = naive(c, x)
      withEachInstructionSet { isa in
        let distance = Distance(attend(c, x, type, threads: 2), from: expected)
        #expect(distance.relative <= type.tolerance, "\(c), set \(isa): \(distance)")
      }
    }
  }

  @Test("The number of threads does not show")
  func threads() {
    let c = Case(height: 30, width: 150, keyChannels: 16, valueChannels: 32, sources: 2)
    for type in tdm_type.all {
      let x = Inputs(c, type, seed: 5)
      let results = [1, 2, 3].map { attend(c, x, type, threads: $0) }
      #expect(results[1] == results[0] && results[2] == results[0])
    }
  }

  @Test("A value that is no number shows where it is read, and nowhere else")
  func notANumber() {
    let c = Case(height: 12, width: 40, keyChannels: 4, valueChannels: 4, reach: 2)
    let x = Inputs(c, TDM_F32, seed: 9)
    var values = x.v[0]
    values[(6 * c.width + 20) * c.valueChannels + 1] = .nan
    let found = attend(c, Inputs(x, v: [values]), TDM_F32)
    for y in 0..<c.height {
      for column in 0..<c.width {
        for channel in 0..<c.valueChannels {
          let reads = abs(y - 6) <= 2 && abs(column - 20) <= 2 && channel == 1
          #expect(found[(y * c.width + column) * c.valueChannels + channel].isNaN == reads)
        }
      }
    }
  }
}

extension Inputs {
  fileprivate init(_ other: Inputs, v: [[Float]]) {
    q = other.q
    k = other.k
    self.v = v
    biases = other.biases
  }
}
