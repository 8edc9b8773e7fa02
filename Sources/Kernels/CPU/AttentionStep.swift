import CKernels
import TensorCore

/// Attention, over one frame's keys and values or over the means of a window's.
final class AttentionStep: Step {
  let label: String
  let reads, writes: [Buffer]
  let scratchByteCount: Int

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
    features = WindowFeatures(keys: keys, values: values, site: settings.site)
    type = device.activationType
    channels = settings.headCount * settings.headDimension
    label = keys.place == .context ? "cross-attention" : "self-attention"
    scratchByteCount = tdm_attention_scratch(
      type.kernel, keyCount, settings.headCount, settings.headDimension, device.threads)
    reads = [queries, keys, values]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    features.withSources(execution, frame: frame) { keys, values, count, _ in
      tdm_attention(
        type.kernel, execution.pointer(target, frame: frame),
        execution.pointer(queries, frame: frame), keys, values, count, queryCount, keyCount,
        settings.headCount, settings.headDimension, channels, channels, channels, settings.scale,
        settings.isCausal ? 1 : 0, execution.scratch, execution.threads)
    }
  }

  func finish(_ execution: Execution) { features.store(execution) }
}

/// Features in the processor's memory: pass by pass, slot by slot, site by site, keys before values.
final class CPUFeatureCache: FeatureCache {
  private let memory: AlignedMemory
  private let slots: Int
  /// From a slot's start to a site's keys and values.
  private let offsets: [(keys: Int, values: Int)]
  private let slotByteCount: Int

  init(sites: [FeatureSite], type: ElementType, passes: Int, slots: Int) throws(OutOfMemory) {
    self.slots = slots
    var offsets: [(keys: Int, values: Int)] = []
    var end = 0
    func place(_ shape: Shape) -> Int {
      defer { end += Self.aligned(shape.count * type.byteCount) }
      return end
    }
    for site in sites { offsets.append((keys: place(site.keys), values: place(site.values))) }
    self.offsets = offsets
    slotByteCount = end
    memory = try AlignedMemory(
      checking: passes * slots * end, for: "the features that windows read")
  }

  var byteCount: Int { memory.byteCount }

  /// What a cache takes, which is known before it is made.
  static func byteCount(sites: [FeatureSite], type: ElementType, passes: Int, slots: Int) -> Int {
    passes * slots
      * sites.reduce(0) {
        $0 + aligned($1.keys.count * type.byteCount) + aligned($1.values.count * type.byteCount)
      }
  }

  private static func aligned(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

  private func slot(_ slot: Int, pass: Int) -> UnsafeMutableRawPointer {
    precondition(slot < slots)
    return memory.pointer + (pass * slots + slot) * slotByteCount
  }

  func keys(pass: Int, slot: Int, site: Int) -> UnsafeMutableRawPointer {
    self.slot(slot, pass: pass) + offsets[site].keys
  }

  func values(pass: Int, slot: Int, site: Int) -> UnsafeMutableRawPointer {
    self.slot(slot, pass: pass) + offsets[site].values
  }
}
