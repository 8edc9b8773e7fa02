import CKernels
import TensorCore

/// A 3x3 convolution in float32 with its biases, residual and activation, with a quarter of the
/// multiplications that its definition has: by our own kernel, 2 to 3 times as fast as oneDNN 2.6,
/// which has such a one only for layouts other than channels last.
///
/// What it rounds away is some ten times as much, a few units in 100,000 of the result.
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

  /// Weights take four times the memory, which is worth it as long as they stay in the caches and
  /// there are many pixels for each to be multiplied with.
  private static let mostWeights = 320 * 320
  private static let fewestPixels = 2048

  /// Whether it computes this convolution, and faster than ``ConvolutionStep``.
  static func suits(_ settings: Convolution, on source: Shape, _ device: CPUDevice) -> Bool {
    let kernel = settings.weight.shape
    guard device.precision == .f32, device.favoursWinograd, kernel.rank == 4,
      kernel[2] == 3, kernel[3] == 3, settings.stride == 1, settings.padding == Padding(1)
    else { return false }
    let (outputs, inputs) = (kernel[0], kernel[1])
    return inputs >= 16 && outputs.isMultiple(of: 16) && inputs * outputs <= mostWeights
      && source[source.rank - 3] * source[source.rank - 2] >= fewestPixels
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
