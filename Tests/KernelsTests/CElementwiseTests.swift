import CKernels
import Foundation
import Testing

/// Around a register's width, and around the length at which work is handed to a second thread.
private let counts = [0, 1, 16, 17, 100, 16385]

/// Runs an operation that writes `count` elements with each instruction set and 1 and 3 threads,
/// into fresh memory and onto each of the inputs it may overwrite, and compares.
private func check(
  _ type: tdm_type, _ inputs: [[Float]], expected: [Double], overwriting: Range<Int> = 0..<0,
  inputType: tdm_type? = nil, tolerance: Double? = nil,
  _ operation: (
    _ out: UnsafeMutableRawPointer, _ x: [UnsafeMutableRawPointer], _ threads: Int32
  ) -> Void
) {
  withEachInstructionSet { isa in
    for threads: Int32 in [1, 3] {
      for place in [-1] + Array(overwriting) {
        let x = inputs.map { Guarded(inputType ?? type, $0) }
        let out = place < 0 ? Guarded(type, count: expected.count) : x[place]
        operation(out.start, x.map { $0.start }, threads)
        let distance = Distance(out.values(type), from: expected)
        let context = "set \(isa), \(threads) threads, onto \(place), \(expected.count)"
        #expect(distance.relative <= tolerance ?? type.tolerance, "\(context): \(distance)")
        #expect(out.isIntact && x.allSatisfy { $0.isIntact }, "\(context): wrote outside")
      }
    }
  }
}

@Suite("Element-wise work in C")
struct CElementwiseTests {
  @Test("Activations agree with double precision")
  func activations() {
    var noise = Noise(1)
    for count in counts {
      for type in tdm_type.all {
        let x = type.rounded(noise.normals(count, times: 4))
        for activation in count > 1000 ? [TDM_GELU] : everyActivation {
          let expected = x.map { activated(Double($0), activation) }
          check(type, [x], expected: expected, overwriting: 0..<1) {
            tdm_activate(type, $0, $1[0], count, activation, $2)
          }
        }
      }
    }
  }

  @Test("Activations keep their relative accuracy far out", arguments: everyActivation)
  func tails(activation: tdm_activation) {
    let x = (-1200...1200).map { Float($0) / 100 } + [-0.0, 1e-30, -1e-30, 80, 1e30]
    withEachInstructionSet { isa in
      let out = Guarded(TDM_F32, count: x.count)
      tdm_activate(TDM_F32, out.start, x, x.count, activation, 1)
      for (found, x) in zip(out.values(TDM_F32), x) {
        let expected = activated(Double(x), activation)
        // Below zero, GELU falls as exp(-x²/2): an argument's rounding is multiplied by x².
        let tolerance = 1e-6 + (x < 0 ? 3e-7 * Double(x * x) : 0)
        let error = abs(Double(found) - expected)
        #expect(
          error <= tolerance * abs(expected) + 1e-36, "set \(isa): \(found) at \(x), \(expected)")
      }
    }
  }

  @Test("What is not a number stays so", arguments: everyActivation)
  func notANumber(activation: tdm_activation) {
    withEachInstructionSet { isa in
      for type in tdm_type.all {
        let x = Guarded(type, [Float](repeating: .nan, count: 21))
        tdm_activate(type, x.start, x.start, 21, activation, 1)
        #expect(x.values(type).allSatisfy { $0.isNaN }, "set \(isa)")
      }
    }
  }

  @Test("Sums, scaled")
  func sums() {
    var noise = Noise(2)
    for count in counts {
      for type in tdm_type.all {
        let a = type.rounded(noise.normals(count))
        let b = type.rounded(noise.normals(count))
        let expected = zip(a, b).map { Double($0) - 0.3 * Double($1) }
        check(type, [a, b], expected: expected, overwriting: 0..<2) {
          tdm_add(type, $0, $1[0], $1[1], -0.3, count, $2)
        }
      }
    }
  }

  @Test("Weighted sums of two")
  func combinations() {
    var noise = Noise(3)
    for count in counts {
      let x = noise.normals(count)
      let y = noise.normals(count)
      let expected = zip(x, y).map { 0.7 * Double($0) - 2.5 * Double($1) }
      check(TDM_F32, [x, y], expected: expected, overwriting: 0..<2) {
        let (out, x) = ($0.assumingMemoryBound(to: Float.self), $1)
        tdm_combine(
          out, 0.7, x[0].assumingMemoryBound(to: Float.self), -2.5,
          x[1].assumingMemoryBound(to: Float.self), count, $2)
      }
    }
  }

  @Test("The soft clamp agrees with tanh, near zero and far out")
  func softClamp() {
    var noise = Noise(4)
    for count in counts {
      for type in tdm_type.all {
        let x = type.rounded(
          noise.normals(count, times: count % 2 == 0 ? 3 : 0.01))
        let expected = x.map { 3 * tanh(Double($0) / 3) }
        check(type, [x], expected: expected, overwriting: 0..<1) {
          tdm_soft_clamp(type, $0, $1[0], 3, count, $2)
        }
      }
    }
  }

  @Test("Scaling and conversion between any two types")
  func affine() {
    var noise = Noise(5)
    for count in counts {
      for type in tdm_type.all {
        for source in tdm_type.all {
          let x = source.rounded(noise.normals(count))
          let converted = type.rounded(x).map { Double($0) }
          check(type, [x], expected: converted, inputType: source, tolerance: 0) {
            tdm_affine(type, $0, source, $1[0], 1, 0, count, $2)
          }
          let expected = x.map { Double($0) * 127.5 + 127.5 }
          check(type, [x], expected: expected, inputType: source) {
            tdm_affine(type, $0, source, $1[0], 127.5, 127.5, count, $2)
          }
        }
      }
    }
  }

  @Test("Conversion rounds ties to even and keeps infinities and what is not a number")
  func rounding() {
    let x: [Float] = [
      Float(bitPattern: 0x3f80_8000), Float(bitPattern: 0x3f81_8000), .infinity, -.infinity, -0.0,
      .greatestFiniteMagnitude, Float(bitPattern: 0x7f80_0001), Float(bitPattern: 0xffff_ffff), 1,
    ]
    withEachInstructionSet { isa in
      let input = Guarded(TDM_F32, Array(repeating: x, count: 3).flatMap { $0 })
      let out = Guarded(TDM_BF16, count: 27)
      tdm_affine(TDM_BF16, out.start, TDM_F32, input.start, 1, 0, 27, 1)
      let found = out.values(TDM_BF16)
      for i in 0..<27 {
        switch i % 9 {
        case 0: #expect(found[i] == 1, "set \(isa)")
        case 1: #expect(found[i].bitPattern == 0x3f82_0000, "set \(isa)")
        case 2, 5: #expect(found[i] == .infinity, "set \(isa)")
        case 3: #expect(found[i] == -.infinity, "set \(isa)")
        // A product with 1 and a sum with 0: minus zero may lose its sign.
        case 4: #expect(found[i] == 0, "set \(isa)")
        case 6, 7: #expect(found[i].isNaN, "set \(isa)")
        default: #expect(found[i] == 1, "set \(isa)")
        }
      }
    }
  }

  @Test("Every half-precision number converts exactly")
  func halves() {
    let bits = (0...UInt16.max).map { $0 }
    withEachInstructionSet { isa in
      for threads: Int32 in [1, 2] {
        let out = Guarded(TDM_F32, count: bits.count)
        tdm_f16_to_f32(out.start.assumingMemoryBound(to: Float.self), bits, bits.count, threads)
        let found = out.values(TDM_F32)
        let wrong = bits.first { bit in
          let exact = halfPrecision(bit)
          let value = found[Int(bit)]
          return exact.isNaN ? !value.isNaN : value.bitPattern != exact.bitPattern
        }
        #expect(wrong == nil && out.isIntact, "set \(isa)")
      }
    }
  }
}

/// IEEE 754 binary16, from its definition.
private func halfPrecision(_ bits: UInt16) -> Float {
  let sign: Float = bits & 0x8000 == 0 ? 1 : -1
  let exponent = Int(bits >> 10 & 31)
  let fraction = Float(bits & 1023) / 1024
  switch exponent {
  case 0: return sign * fraction * Float(sign: .plus, exponent: -14, significand: 1)
  case 31: return fraction == 0 ? sign * .infinity : .nan
  default:
    return sign * (1 + fraction) * Float(sign: .plus, exponent: exponent - 15, significand: 1)
  }
}
