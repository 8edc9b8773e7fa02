import CKernels
import TensorCore

/// Attention of every position to its neighbourhood, in one frame or in those of a window.
final class LocalAttentionStep: Step {
  let label = "local attention"
  let reads, writes: [Buffer]
  let scratchByteCount: Int

  private let settings: LocalAttention
  private let type: ElementType
  private let queries, target: Buffer
  private let features: WindowFeatures
  private let height, width, keyChannels, valueChannels: Int
  private let positionBias: AlignedMemory

  /// - Parameters:
  ///   - keyShape: [height, width, channels]
  ///   - valueChannels: of values and of the result.
  init(
    _ settings: LocalAttention, queries: Buffer, keys: Buffer, values: Buffer, target: Buffer,
    keyShape: Shape, valueChannels: Int, _ device: CPUDevice
  ) throws(KernelError) {
    self.settings = settings
    self.queries = queries
    self.target = target
    self.valueChannels = valueChannels
    features = WindowFeatures(keys: keys, values: values, site: settings.site)
    (height, width, keyChannels) = (keyShape[0], keyShape[1], keyShape[2])
    type = device.activationType
    positionBias = try device.weights.floats(settings.positionBias)
    scratchByteCount = tdm_local_attention_scratch(
      keyChannels, valueChannels, settings.reach, device.threads)
    reads = [queries, keys, values]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    features.withSources(execution, frame: frame) { keys, values, count, sources in
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: count) { biases in
        for index in 0..<count {
          let distance = min(sources?[index].distance ?? 0, settings.radius)
          biases[index] = positionBias.floats + distance * settings.side * settings.side
        }
        tdm_local_attention(
          type.kernel, execution.pointer(target, frame: frame),
          execution.pointer(queries, frame: frame), keys, values, biases.baseAddress!, count,
          height, width, keyChannels, valueChannels, settings.reach, settings.scale,
          execution.scratch, execution.threads)
      }
    }
  }

  func finish(_ execution: Execution) { features.store(execution) }
}
