import Foundation

/// Standard normals that `Tests/Reference/gaussian.py` gives too: SplitMix64, 53-bit uniforms,
/// Box-Muller pairs.
public func seededNormals(seed: UInt64, count: Int) -> [Float] {
  var normals = [Float](repeating: 0, count: count)
  var state = seed
  func nextUniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z ^= z >> 31
    return Double(z >> 11) * 0x1p-53
  }
  for pair in stride(from: 0, to: count, by: 2) {
    let radius = (-2 * log(1 - nextUniform())).squareRoot()
    let angle = 2 * Double.pi * nextUniform()
    normals[pair] = Float(radius * cos(angle))
    if pair + 1 < count { normals[pair + 1] = Float(radius * sin(angle)) }
  }
  return normals
}

/// FNV-1a, 64 bits, of the name's UTF-8: the seed of a tensor's weights.
func seed(of name: String) -> UInt64 {
  name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
