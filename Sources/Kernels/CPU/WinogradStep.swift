import CKernels
import TensorCore

/// A 3x3 convolution in float32 with its biases, residual and activation, with a quarter of the
/// multiplications that its definition has: by our own kernel, 1.6 to 3 times as fast as oneDNN
/// 2.6, which has such a one only for layouts other than channels last.
///
/// It rounds more away than the definition does, a few millionths of the result.
final class WinogradStep: Step {
  let label = "convolution 3x3"
  let reads, writes: [Buffer]
  let scratchByteCount: Int

  private let source, target: Buffer
  private let stepBias, residual: Buffer?
  private let shape: Shape
  private let outputs: Int
  private let activation: Activation
  private let weight, bias: AlignedMemory
  /// bias + stepBias of the run.
  private let sum: AlignedMemory?

  /// Whether the processor has vectors for it. Without, it is no faster.
  static let isFaster = tdm_isa_detect().rawValue >= TDM_ISA_AVX2.rawValue

  /// Of the weights, which take four times the memory: Stable Diffusion's finest level has so many,
  /// and gains most (320 channels at 64x64, 9.4 ms instead of 29.6 with AVX-512).
  private static let mostWeights = 320 * 320
  /// Each weight is read from memory in every evaluation, and wants many pixels to be multiplied
  /// with: at 40x23 nothing was gained. Not more of them for more threads: that would have what is
  /// rounded, and so the frames, depend on their number.
  private static let fewestPixels = 2048

  /// Whether it computes this convolution, and faster than ``ConvolutionStep``.
  static func suits(_ settings: Convolution, on source: Shape, _ device: CPUDevice) -> Bool {
    let kernel = settings.weight.shape
    guard device.precision == .f32, isFaster, kernel.rank == 4,
      kernel[2] == 3, kernel[3] == 3, settings.stride == 1, settings.padding == Padding(1)
    else { return false }
    let (outputs, inputs) = (kernel[0], kernel[1])
    let pixels = source[source.rank - 3] * source[source.rank - 2]
    return inputs >= 16 && outputs.isMultiple(of: 16) && inputs * outputs <= mostWeights
      && pixels >= fewestPixels
  }

  /// - Parameters:
  ///   - sourceShape: of an image, or of a video, whose frames are images by themselves.
  ///   - residual: summed in; may be `target`.
  /// - Precondition: ``suits(_:on:_:)``.
  init(
    _ settings: Convolution, source: Buffer, sourceShape: Shape, stepBias: Buffer?,
    residual: Buffer?, target: Buffer, _ device: CPUDevice
  ) throws(KernelError) {
    self.source = source
    self.target = target
    self.stepBias = stepBias
    self.residual = residual
    shape = sourceShape
    outputs = settings.weight.shape[0]
    activation = settings.activation
    weight = try device.weights.winograd(settings.weight)
    bias = try device.weights.bias(settings.bias, channels: outputs)
    sum = stepBias == nil ? nil : AlignedMemory(byteCount: outputs * 4)
    scratchByteCount = tdm_winograd_scratch(shape.channels, outputs, device.threads)
    reads = [source] + [stepBias, residual].compactMap { $0 }
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    func floats(_ buffer: Buffer) -> UnsafeMutablePointer<Float> {
      execution.pointer(buffer, frame: frame).assumingMemoryBound(to: Float.self)
    }
    if frame == 0, let stepBias, let sum {
      tdm_combine(
        sum.pointer.assumingMemoryBound(to: Float.self), 1, bias.floats, 1, floats(stepBias),
        outputs, 1)
    }
    let (height, width) = (shape[shape.rank - 3], shape[shape.rank - 2])
    let images = shape.rank == 4 ? shape[0] : 1
    for image in 0..<images {
      let place = image * height * width
      tdm_winograd(
        floats(target) + place * outputs, floats(source) + place * shape.channels, height, width,
        shape.channels, outputs, weight.floats, (sum ?? bias).floats,
        residual.map { floats($0) + place * outputs }, activation.kernel, execution.scratch,
        execution.threads)
    }
  }
}
