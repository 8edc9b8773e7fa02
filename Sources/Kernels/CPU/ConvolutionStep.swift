import CKernels
import COneDNN
import TensorCore

/// A convolution with its biases, residual and activation, by oneDNN.
final class ConvolutionStep: Step {
  let label: String
  let reads, writes: [Buffer]
  var scratchByteCount: Int { primitive.scratchByteCount }

  private let stepBias: Buffer?
  private let channels: Int
  private let ownBias: AlignedMemory
  /// bias + stepBias of the run.
  private let sum: AlignedMemory?
  private let primitive: WeightedPrimitive

  /// - Parameters:
  ///   - residual: summed in; where it is `target` itself it lies there already.
  init(
    _ settings: Convolution, source: Buffer, sourceShape: Shape, stepBias: Buffer?,
    residual: Buffer?, target: Buffer, targetShape: Shape, _ device: CPUDevice
  ) throws(KernelError) {
    self.stepBias = stepBias
    channels = targetShape.channels
    let kernel = settings.weight.shape
    label = "convolution " + kernel.extents.dropFirst(2).map(String.init).joined(separator: "x")
    let what = "\(settings.weight.name) on \(sourceShape)"
    let type = device.activationType

    let throughFrames = kernel.rank == 5
    // Images of 2.3 · 10⁹ numbers oneDNN 2.6 computes right, in either precision.
    guard !throughFrames || max(sourceShape.count, targetShape.count) <= Int32.max else {
      throw KernelError(
        "\(what): expected at most \(Int32.max) numbers, more than which oneDNN was not tried with; give smaller frames"
      )
    }
    let sourceDescriptor = try MemoryDescriptor(
      sourceShape, throughFrames: throughFrames, type)
    let targetDescriptor = try MemoryDescriptor(
      targetShape, throughFrames: throughFrames, target.type)
    let biasDescriptor = try MemoryDescriptor([channels], .f32, dnnl_a)
    let anyWeight = try MemoryDescriptor(kernel.extents, type, dnnl_format_tag_any)
    var operation = dnnl_convolution_desc_t()
    let padding = settings.padding
    func extents(_ frames: Int, _ down: Int, _ across: Int) -> [dnnl_dim_t] {
      ((throughFrames ? [frames] : []) + [down, across]).map { dnnl_dim_t($0) }
    }
    let strides = extents(1, settings.stride, settings.stride)
    let before = extents(0, padding.top, padding.left)
    let after = extents(0, padding.bottom, padding.right)
    var (s, w, b, t) = (
      sourceDescriptor.raw, anyWeight.raw, biasDescriptor.raw, targetDescriptor.raw
    )
    try check(
      dnnl_convolution_forward_desc_init(
        &operation, dnnl_forward_inference, dnnl_convolution_direct, &s, &w, &b, &t, strides,
        before, after), what)
    let descriptor = try PrimitiveDescriptor(
      &operation,
      Attributes(sumsIntoOutput: residual != nil, activation: settings.activation),
      device.engine, what)

    ownBias = try device.weights.bias(settings.bias, channels: channels)
    sum = stepBias == nil ? nil : AlignedMemory(byteCount: channels * 4)
    primitive = try WeightedPrimitive(
      descriptor,
      .init(source: sourceDescriptor, bias: biasDescriptor, target: targetDescriptor),
      source: source, residual: residual, target: target, bias: sum ?? ownBias,
      engine: device.engine, what
    ) { layout throws(KernelError) in
      try device.weights.reordered(
        settings.weight, extents: kernel.extents, tag: throughFrames ? dnnl_oidhw : dnnl_oihw,
        to: layout)
    }
    reads = [source] + [stepBias, residual].compactMap { $0 }
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) throws(KernelError) {
    if frame == 0, let stepBias, let sum {
      let floats = { (p: UnsafeMutableRawPointer) in p.assumingMemoryBound(to: Float.self) }
      tdm_combine(
        floats(sum.pointer), 1, floats(ownBias.pointer), 1,
        floats(execution.pointer(stepBias, frame: 0)), channels, 1)
    }
    try primitive.run(execution, frame: frame)
  }
}

extension MemoryDescriptor {
  /// An image or a video. A video is one object where kernels reach through its frames, else as
  /// many images as it has frames.
  fileprivate init(
    _ shape: Shape, throughFrames: Bool, _ type: ElementType
  ) throws(KernelError) {
    let (height, width, channels) = (
      shape[shape.rank - 3], shape[shape.rank - 2], shape.channels
    )
    let frames = shape.rank == 4 ? shape[0] : 1
    if throughFrames {
      try self.init([1, channels, frames, height, width], type, dnnl_ndhwc)
    } else {
      try self.init([frames, channels, height, width], type, dnnl_nhwc)
    }
  }
}
