import CKernels
import TensorCore

extension Lowering {
  /// Lowers what ``Graph/slice(_:_:)`` and its neighbours describe.
  mutating func lower(
    _ operation: TransformerOperation, _ node: Graph.Node, at index: Int
  ) throws(KernelError) {
    let (value, inputs) = (node.output, node.inputs)
    let type = device.activationType

    switch operation {
    case .slice(let range):
      let row = value.shape.count / value.shape[0]
      append(value, inputs, at: index, "slice") { _, sources, output in
        let bytes = (value.scope == .step ? ElementType.f32 : type).byteCount * row
        output.copyMemory(
          from: sources(0) + range.lowerBound * bytes, byteCount: range.count * bytes)
      }

    case .stacking:
      append(value, inputs, at: index, "stacking") { _, sources, output in
        var end = output
        for (place, input) in inputs.enumerated() {
          let bytes = input.shape.count * type.byteCount
          end.copyMemory(from: sources(place), byteCount: bytes)
          end += bytes
        }
      }

    case .borrowing(let rows):
      let source = operand(inputs[0], as: type)
      let step = BorrowingStep(
        source, to: target(value, at: index), share: (rows, value.shape[0]))
      steps.append((step, value.scope))

    case .rmsNorm(let settings):
      let (source, output) = buffers(of: node, at: index)
      let step = try KernelStep(
        settings, source: source, target: output, shape: value.shape, device)
      steps.append((step, value.scope))

    case .product:
      append(value, inputs, inPlace: true, at: index, "product") { execution, sources, output in
        tdm_multiply(
          type.kernel, output, sources(0), sources(1), value.shape.count, execution.threads)
      }

    case .rowScaling(let settings): lower(settings, node, at: index)

    case .biasedAttention(let headCount):
      lowerBiasedAttention(headCount: headCount, node, at: index)
    }
  }

  private mutating func lower(_ settings: RowScaling, _ node: Graph.Node, at index: Int) {
    let (value, inputs) = (node.output, node.inputs)
    let type = device.activationType
    let vector = operand(inputs[1], as: .f32)
    let rows = operand(inputs[0], as: type)
    let addend = inputs.count > 2 ? operand(inputs[2], as: type) : nil
    let output = target(value, inPlaceOf: inputs[0], at: index)
    let step = KernelStep(
      "row scaling", [rows, vector] + [addend].compactMap { $0 }, to: output
    ) { execution, sources, output in
      settings.compute(
        output, sources(0), addend.map { _ in sources(2) },
        by: sources(1).assumingMemoryBound(to: Float.self), channels: value.shape.channels,
        type, execution.threads)
    }
    steps.append((step, value.scope))
  }

  private mutating func lowerBiasedAttention(
    headCount: Int, _ node: Graph.Node, at index: Int
  ) {
    let (value, inputs) = (node.output, node.inputs)
    let type = device.activationType
    let operands =
      inputs.dropLast().map { operand($0, as: type) } + [operand(inputs[3], as: .f32)]
    let (tokens, dimension) = (value.shape.rows, value.shape.channels / headCount)
    let step = KernelStep(
      "biased attention", operands, to: target(value, at: index),
      scratchByteCount: tdm_biased_attention_scratch(tokens, headCount, dimension)
    ) { execution, sources, output in
      tdm_biased_attention(
        type.kernel, output, sources(0), sources(1), sources(2),
        sources(3).assumingMemoryBound(to: Float.self), tokens, headCount, dimension,
        execution.scratch, execution.threads)
    }
    steps.append((step, value.scope))
  }
}

extension RowScaling {
  fileprivate func compute(
    _ output: UnsafeMutableRawPointer, _ x: UnsafeMutableRawPointer,
    _ addend: UnsafeMutableRawPointer?, by vector: UnsafePointer<Float>, channels: Int,
    _ type: ElementType, _ threads: Int32
  ) {
    var start = 0
    for span in spans {
      tdm_scale_rows(
        type.kernel, output + start, x + start, addend.map { $0 + start }, offset,
        vector + span.scale, span.shift.map { vector + $0 }, span.count, channels, threads)
      start += span.count * channels * type.byteCount
    }
  }
}
