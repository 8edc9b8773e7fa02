import FixtureSupport
import Foundation
import TensorCore
import Testing

@Suite struct FixtureTests {
  @Test func `the generator gives the reference's normals`() {
    // torch: gaussian(2, [3])
    let expected: [Float] = [-0.0071460227, -1.3375190, 0.13016878]
    #expect(
      compare(
        Tensor([3], seededNormals(seed: 2, count: 3)), with: Tensor([3], expected), tolerance: 1e-6
      ).firstBad == nil)
  }

  @Test(arguments: Fixture.allCases)
  func `a fixture's folder holds every part`(_ fixture: Fixture) throws {
    let folder = try URL(filePath: fixture.modelFolder())
    for part in ["unet", "controlnet", "vae", "text_encoder"] {
      let names = try FileManager.default.contentsOfDirectory(
        atPath: folder.appending(path: part).path)
      #expect(names.contains("config.json"))
      // The Haar transform has no weights.
      #expect(
        names.contains { $0.hasSuffix(".safetensors") } == !(fixture == .haar && part == "vae"))
    }
    #expect(try !fixture.cases().isEmpty)
  }

  @Test func `a comparison finds the first bad element`() {
    let expected = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    var actual = expected
    #expect(compare(actual, with: expected, tolerance: 0).firstBad == nil)
    actual.elements[4] = .nan
    let comparison = compare(actual, with: expected, tolerance: 0.1)
    #expect(comparison.firstBad == [1, 1])
    #expect(comparison.largestDifference == .infinity)
  }
}
