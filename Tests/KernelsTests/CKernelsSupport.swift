import CKernels
import Foundation

/// Numbers that are the same in every run, roughly normal.
struct Noise {
  private var numbers: Numbers

  init(_ seed: UInt64) { numbers = Numbers(seed: seed) }

  /// Evenly spread over 0..<1.
  private mutating func fraction() -> Float { Float(numbers.next() >> 40) / Float(1 << 24) }

  /// Roughly normal, mean 0, deviation 1.
  mutating func normal() -> Float {
    (fraction() + fraction() + fraction() + fraction() - 2) * 1.732
  }

  mutating func normals(_ count: Int, times factor: Float = 1, plus offset: Float = 0) -> [Float] {
    (0..<count).map { _ in normal() * factor + offset }
  }
}

/// The levels of white noise of this deviation in every channel: of the light, which is luma times
/// the square root of 3, and of two colours.
func levelsOfWhite(_ noise: Float) -> [Float] { [1.157 * noise, noise, noise] }

/// The nearest bfloat16, ties to even.
func roundedToBF16(_ x: Float) -> Float {
  if x.isNaN { return x }
  let bits = UInt64(x.bitPattern)
  let rounded = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff_0000
  return Float(bitPattern: UInt32(truncatingIfNeeded: rounded))
}

/// Memory with canaries before and behind it.
final class Guarded {
  private static let margin = 64
  private static let canary: UInt8 = 0xa5
  private let memory: UnsafeMutableRawBufferPointer
  let byteCount: Int

  init(byteCount: Int) {
    self.byteCount = byteCount
    memory = .allocate(byteCount: byteCount + 2 * Self.margin, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: Self.canary)
  }

  deinit { memory.deallocate() }

  var start: UnsafeMutableRawPointer { memory.baseAddress! + Self.margin }

  var isIntact: Bool {
    memory[..<Self.margin].allSatisfy { $0 == Self.canary }
      && memory[(Self.margin + byteCount)...].allSatisfy { $0 == Self.canary }
  }

  var bytes: [UInt8] { [UInt8](memory[Self.margin..<(Self.margin + byteCount)]) }
}

extension tdm_type {
  static let all = [TDM_F32, TDM_BF16]
  var size: Int { self == TDM_F32 ? 4 : 2 }
  /// `x` as this type holds it.
  func rounded(_ x: [Float]) -> [Float] { self == TDM_F32 ? x : x.map(roundedToBF16) }
  /// What rounding the result alone may cost, relative L2.
  var tolerance: Double { self == TDM_F32 ? 2e-6 : 3e-3 }
}

extension Guarded {
  convenience init(_ type: tdm_type, count: Int) { self.init(byteCount: count * type.size) }

  convenience init(_ type: tdm_type, _ values: [Float]) {
    self.init(type, count: values.count)
    for (i, value) in values.enumerated() {
      if type == TDM_F32 {
        start.storeBytes(of: value, toByteOffset: 4 * i, as: Float.self)
      } else {
        let bits = UInt16(roundedToBF16(value).bitPattern >> 16)
        start.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
      }
    }
  }

  func values(_ type: tdm_type) -> [Float] {
    (0..<(byteCount / type.size)).map { i in
      type == TDM_F32
        ? start.load(fromByteOffset: 4 * i, as: Float.self)
        : Float(bitPattern: UInt32(start.load(fromByteOffset: 2 * i, as: UInt16.self)) << 16)
    }
  }
}

/// How far `found` is from `expected`: relative L2, and the index of the largest difference.
struct Distance: CustomStringConvertible {
  let relative: Double
  let worst: Int
  let description: String

  init(_ found: [Float], from expected: [Double]) {
    precondition(found.count == expected.count)
    var squares = 0.0
    var of = 0.0
    var largest = -1.0
    var at = 0
    for i in found.indices {
      let difference = abs(Double(found[i]) - expected[i])
      squares += difference * difference
      of += expected[i] * expected[i]
      if !(difference <= largest) { (largest, at) = (difference, i) }
    }
    relative = (squares / max(of, 1e-300)).squareRoot()
    worst = at
    description =
      found.isEmpty
      ? "empty" : "relative L2 \(relative), worst at \(at): \(found[at]) for \(expected[at])"
  }
}

/// Runs `body` with each instruction set that this machine has.
func withEachInstructionSet(_ body: (tdm_isa) throws -> Void) rethrows {
  defer { _ = tdm_isa_limit(TDM_ISA_AMX_BF16) }
  for raw in TDM_ISA_PLAIN.rawValue...TDM_ISA_AMX_BF16.rawValue {
    let isa = tdm_isa(rawValue: raw)
    if tdm_isa_limit(isa) == isa { try body(isa) }
  }
}

/// The activations in double precision, by the C library's functions.
func activated(_ x: Double, _ activation: tdm_activation) -> Double {
  switch activation {
  case TDM_RELU: max(x, 0)
  case TDM_SILU: x / (1 + exp(-x))
  case TDM_GELU: x * erfc(-x / 2.0.squareRoot()) / 2
  case TDM_QUICK_GELU: x / (1 + exp(-1.702 * x))
  case TDM_GELU_TANH: x / (1 + exp(-2 * (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
  default: x
  }
}

let everyActivation = [TDM_NONE, TDM_RELU, TDM_SILU, TDM_GELU, TDM_QUICK_GELU, TDM_GELU_TANH]
