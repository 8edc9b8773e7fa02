import CKernels
import Kernels
import TensorCore
import Testing

/// The 3x3 convolution by tiles against its definition.
@Suite("In C, the 3x3 convolution")
struct CWinogradTests {
  /// Height, width, inputs, outputs: whole tiles and parts of one, channels that fill no vector,
  /// widths that every way of holding sums takes.
  static let shapes = [
    (1, 1, 16, 16), (4, 8, 16, 32), (5, 7, 17, 48), (13, 9, 60, 16), (6, 31, 33, 64),
    (23, 40, 48, 80), (50, 61, 16, 96),
  ]

  /// Where the residual lies.
  private enum Addition { case none, apart, inPlace }

  private func floats(_ memory: Guarded) -> UnsafeMutablePointer<Float> {
    memory.start.assumingMemoryBound(to: Float.self)
  }

  @Test(
    "equals the definition by every instruction set and any number of threads", arguments: shapes)
  func definition(height: Int, width: Int, inputs: Int, outputs: Int) {
    var noise = Noise(UInt64(height))
    let image = Tensor([height, width, inputs], noise.normals(height * width * inputs))
    let weight = Tensor([outputs, inputs, 3, 3], noise.normals(outputs * inputs * 9, times: 0.1))
    let bias = noise.normals(outputs)
    let addend = noise.normals(height * width * outputs)
    let plain = Plain.convolution(image, weight, bias: bias, stride: 1, padding: Padding(1))
    for (activation, addition) in [
      (TDM_NONE, Addition.none), (TDM_RELU, .apart), (TDM_SILU, .inPlace),
    ] {
      let expected = zip(plain.elements, addend).map {
        activated(Double($0) + (addition == .none ? 0 : Double($1)), activation)
      }
      withEachInstructionSet { isa in
        var found: [[Float]] = []
        let (x, kernels) = (Guarded(TDM_F32, image.elements), Guarded(TDM_F32, weight.elements))
        let biases = Guarded(TDM_F32, bias)
        let prepared = Guarded(TDM_F32, count: 36 * inputs * outputs)
        for threads: Int32 in [1, 2, 3] {
          tdm_winograd_weight(floats(prepared), floats(kernels), inputs, outputs, threads)
          let scratch = Guarded(byteCount: tdm_winograd_scratch(inputs, outputs, threads))
          let residual = Guarded(TDM_F32, addend)
          let out = addition == .inPlace ? residual : Guarded(TDM_F32, count: addend.count)
          tdm_winograd(
            floats(out), floats(x), height, width, inputs, outputs, floats(prepared),
            floats(biases), addition == .none ? nil : floats(residual), activation, scratch.start,
            threads)
          #expect(prepared.isIntact && scratch.isIntact && out.isIntact, "set \(isa)")
          found.append(withExtendedLifetime((x, kernels, biases, residual)) { out.values(TDM_F32) })
        }
        let distance = Distance(found[0], from: expected)
        #expect(distance.relative < 5e-6, "set \(isa), \(activation): \(distance)")
        #expect(found[1] == found[0] && found[2] == found[0], "set \(isa)")
      }
    }
  }
}
