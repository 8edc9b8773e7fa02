import CKernels
import TensorCore

/// Attention, over one frame's keys and values or over the means of a window's.
final class AttentionStep: Step {
  let label: String
  let reads, writes: [Buffer]
  let scratchByteCount: Int
  var readsWindow: Bool { settings.site != nil }

  private let settings: Attention
  private let type: ElementType
  private let queries, target: Buffer
  private let features: WindowFeatures
  private let queryCount, keyCount, channels: Int

  init(
    _ settings: Attention, queries: Buffer, keys: Buffer, values: Buffer, target: Buffer,
    queryCount: Int, keyCount: Int, _ device: CPUDevice
  ) {
    self.settings = settings
    self.queries = queries
    self.target = target
    self.queryCount = queryCount
    self.keyCount = keyCount
    features = WindowFeatures(tensors: [keys, values], site: settings.site)
    type = device.activationType
    channels = settings.headCount * settings.headDimension
    label = keys.place == .context ? "cross-attention" : "self-attention"
    scratchByteCount = tdm_attention_scratch(
      type.kernel, keyCount, settings.headCount, settings.headDimension, device.threads)
    reads = [queries, keys, values]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    features.withSources(execution, frame: frame) { pointers, count, _ in
      tdm_attention(
        type.kernel, execution.pointer(target, frame: frame),
        execution.pointer(queries, frame: frame), pointers, pointers + count, count,
        queryCount, keyCount, settings.headCount, settings.headDimension, channels, channels,
        channels, 1 / Float(settings.headDimension).squareRoot(),
        settings.isCausal ? 1 : 0, execution.scratch, execution.threads)
    }
  }

  func finish(_ execution: Execution) { features.store(execution) }
}
