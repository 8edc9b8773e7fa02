import TensorCore

/// Layers that have weights or attend.
extension Lowering {
  mutating func lower(
    _ settings: Convolution, _ node: Graph.Node, at index: Int
  ) throws(KernelError) {
    let (value, inputs) = (node.output, node.inputs)
    let source = operand(inputs[0], as: device.activationType)
    let stepBias = settings.hasStepBias ? operand(inputs[1], as: .f32) : nil
    let residual = settings.hasResidual ? inputs.last! : nil
    let output = target(
      value, inPlaceOf: residual?.index == inputs[0].index ? nil : residual, at: index)
    let addend = residual.map { operand($0, as: output.type) }
    let step: any Step =
      WinogradStep.suits(settings, on: inputs[0].shape, device)
      ? try WinogradStep(
        settings, source: source, sourceShape: inputs[0].shape, stepBias: stepBias,
        residual: addend, target: output, device)
      : try ConvolutionStep(
        settings, source: source, sourceShape: inputs[0].shape, stepBias: stepBias,
        residual: addend, target: output, targetShape: value.shape, device)
    steps.append((step, value.scope))
  }

  mutating func lower(
    _ settings: Linear, _ node: Graph.Node, at index: Int
  ) throws(KernelError) {
    let (value, inputs) = (node.output, node.inputs)
    let source = operand(inputs[0], as: device.activationType)
    let residual = settings.hasResidual ? inputs[1] : nil
    let output = target(
      value, inPlaceOf: residual?.index == inputs[0].index ? nil : residual, at: index)
    let addend = residual.map { operand($0, as: output.type) }
    let rows = value.shape.rows
    let step: any Step =
      device.precision == .f32 && device.favoursSgemm
      ? try SgemmStep(
        settings, rows: rows, source: source, residual: addend, target: output, device)
      : try LinearStep(
        settings, rows: rows, source: source, residual: addend, target: output, device)
    steps.append((step, value.scope))
  }

  mutating func lower(
    _ settings: GroupNorm, _ node: Graph.Node, at index: Int
  ) throws(KernelError) {
    let (source, output) = buffers(of: node, at: index)
    let step = try KernelStep(
      settings, source: source, target: output, shape: node.output.shape, device)
    steps.append((step, node.output.scope))
  }

  mutating func lower(
    _ settings: LayerNorm, _ node: Graph.Node, at index: Int
  ) throws(KernelError) {
    let (source, output) = buffers(of: node, at: index)
    let step = try KernelStep(
      settings, source: source, target: output, shape: node.output.shape, device)
    steps.append((step, node.output.scope))
  }

  mutating func lower(_ settings: Attention, _ node: Graph.Node, at index: Int) {
    let value = node.output
    let operands = node.inputs.map { operand($0, as: device.activationType) }
    let step = AttentionStep(
      settings, queries: operands[0], keys: operands[1], values: operands[2],
      target: target(value, at: index), queryCount: value.shape.rows,
      keyCount: node.inputs[1].shape.rows, device)
    steps.append((step, value.scope))
  }

  mutating func lower(_ settings: WindowStack, _ node: Graph.Node, at index: Int) {
    let value = node.output
    let image = operand(node.inputs[0], as: device.activationType)
    let step = WindowStackStep(
      settings, image: image, target: target(value, at: index), pixelCount: value.shape.rows)
    steps.append((step, value.scope))
  }
}
