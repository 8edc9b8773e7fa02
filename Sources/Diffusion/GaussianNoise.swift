import Glibc

/// Standard normal numbers that any language can make again: SplitMix64, 53-bit uniforms,
/// Box-Muller pairs.
///
/// Reference: Steele, Lea, Flood 2014 (SplitMix64); Box, Muller 1958.
public struct GaussianNoise: Sendable {
  private var generator: SplitMix64
  private var spare: Double?

  public init(seed: UInt64) { generator = SplitMix64(state: seed) }

  public mutating func next() -> Float {
    if let second = spare {
      spare = nil
      return Float(second)
    }
    let radius = (-2 * log(1 - generator.nextUniform())).squareRoot()
    let angle = 2 * Double.pi * generator.nextUniform()
    spare = radius * sin(angle)
    return Float(radius * cos(angle))
  }
}
