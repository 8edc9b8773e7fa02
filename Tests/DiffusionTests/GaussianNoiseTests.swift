import Testing

@testable import Diffusion

@Suite struct GaussianNoiseTests {
  @Test(
    "A seed's numbers are the reference generator's",
    arguments: [
      (0, [3_220_251_625, 1_063_080_018, 1_047_073_294, 3_173_809_754, 3_194_142_877]),
      (42, [1_063_377_680, 1_068_611_966, 3_202_799_051, 1_059_828_755, 1_044_438_915]),
      (UInt64.max, [1_072_121_950, 3_213_723_958, 3_206_624_517, 1_050_747_903, 1_060_438_639]),
    ] as [(UInt64, [UInt32])])
  func numbersAreKnown(seed: UInt64, bits: [UInt32]) {
    var noise = GaussianNoise(seed: seed)
    for pattern in bits {
      let known = Float(bitPattern: pattern)
      // The C library's logarithm and cosine may differ in a double's last place.
      #expect(abs(noise.next() - known) <= known.ulp)
    }
  }

  @Test("Numbers have mean 0, variance 1 and kurtosis 3")
  func moments() {
    var noise = GaussianNoise(seed: 7)
    let count = 200_000
    var sums = (0.0, 0.0, 0.0)
    for _ in 0..<count {
      let value = Double(noise.next())
      sums.0 += value
      sums.1 += value * value
      sums.2 += value * value * value * value
    }
    #expect(abs(sums.0 / Double(count)) < 0.01)
    #expect(abs(sums.1 / Double(count) - 1) < 0.02)
    #expect(abs(sums.2 / Double(count) - 3) < 0.1)
  }
}
