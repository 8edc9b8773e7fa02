import CKernels
import TensorCore

/// Attention, over one frame's keys and values or over the means of a window's.
final class AttentionStep: Step {
  let label: String
  let reads, writes: [Buffer]
  let scratchByteCount: Int

  private let settings: Attention
  private let type: ElementType
  private let queries, keys, values, target: Buffer
  private let queryCount, keyCount, channels: Int

  init(
    _ settings: Attention, queries: Buffer, keys: Buffer, values: Buffer, target: Buffer,
    queryCount: Int, keyCount: Int, _ device: CPUDevice
  ) {
    self.settings = settings
    self.queries = queries
    self.keys = keys
    self.values = values
    self.target = target
    self.queryCount = queryCount
    self.keyCount = keyCount
    type = device.activationType
    channels = settings.headCount * settings.headDimension
    label = keys.place == .context ? "cross-attention" : "self-attention"
    scratchByteCount = tdm_attention_scratch(
      type.kernel, keyCount, settings.headCount, settings.headDimension, device.threads)
    reads = [queries, keys, values]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    guard let site = settings.site, let window = execution.window else {
      var k = UnsafeRawPointer?(execution.pointer(keys, frame: frame))
      var v = UnsafeRawPointer?(execution.pointer(values, frame: frame))
      return attend(execution, frame, &k, &v, count: 1)
    }
    let cache = window.cache as! CPUFeatureCache
    let sources = window.sources[frame]
    // Short arrays on the stack: a run allocates nothing.
    withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: 2 * sources.count) {
      pointers in
      for (i, source) in sources.enumerated() {
        switch source {
        case .member(let member):
          pointers[i] = UnsafeRawPointer(execution.pointer(keys, frame: member))
          pointers[sources.count + i] = UnsafeRawPointer(execution.pointer(values, frame: member))
        case .cached(let slot):
          pointers[i] = UnsafeRawPointer(cache.keys(pass: window.pass, slot: slot, site: site))
          pointers[sources.count + i] = UnsafeRawPointer(
            cache.values(pass: window.pass, slot: slot, site: site))
        }
      }
      attend(
        execution, frame, pointers.baseAddress!, pointers.baseAddress! + sources.count,
        count: sources.count)
    }
  }

  private func attend(
    _ execution: Execution, _ frame: Int, _ k: UnsafePointer<UnsafeRawPointer?>,
    _ v: UnsafePointer<UnsafeRawPointer?>, count: Int
  ) {
    tdm_attention(
      type.kernel, execution.pointer(target, frame: frame),
      execution.pointer(queries, frame: frame), k, v, count, queryCount, keyCount,
      settings.headCount, settings.headDimension, channels, channels, channels, settings.scale,
      settings.isCausal ? 1 : 0, execution.scratch, execution.threads)
  }

  /// Leaves features for later runs, once every frame of this one has read what they may replace.
  func finish(_ execution: Execution) {
    guard let site = settings.site, let window = execution.window else { return }
    let cache = window.cache as! CPUFeatureCache
    let byteCount = keyCount * channels * type.byteCount
    for (member, slot) in window.stores {
      cache.keys(pass: window.pass, slot: slot, site: site)
        .copyMemory(from: execution.pointer(keys, frame: member), byteCount: byteCount)
      cache.values(pass: window.pass, slot: slot, site: site)
        .copyMemory(from: execution.pointer(values, frame: member), byteCount: byteCount)
    }
  }
}

/// Features in the processor's memory: pass by pass, slot by slot, site by site, keys before values.
final class CPUFeatureCache: FeatureCache {
  private let memory: AlignedMemory
  private let slots: Int
  private let siteOffsets: [Int]
  private let siteByteCounts: [Int]
  private let slotByteCount: Int

  init(sites: [Shape], type: ElementType, passes: Int, slots: Int) throws(OutOfMemory) {
    self.slots = slots
    siteByteCounts = sites.map { ($0.count * type.byteCount + 63) / 64 * 64 }
    var offsets: [Int] = []
    var end = 0
    for byteCount in siteByteCounts {
      offsets.append(end)
      end += 2 * byteCount
    }
    siteOffsets = offsets
    slotByteCount = end
    memory = try AlignedMemory(
      checking: passes * slots * end, for: "the features that windows read")
  }

  var byteCount: Int { memory.byteCount }

  static func byteCount(sites: [Shape], type: ElementType, passes: Int, slots: Int) -> Int {
    let slot = sites.reduce(0) { $0 + 2 * (($1.count * type.byteCount + 63) / 64 * 64) }
    return passes * slots * slot
  }

  func keys(pass: Int, slot: Int, site: Int) -> UnsafeMutableRawPointer {
    precondition(slot < slots)
    return memory.pointer + (pass * slots + slot) * slotByteCount + siteOffsets[site]
  }

  func values(pass: Int, slot: Int, site: Int) -> UnsafeMutableRawPointer {
    keys(pass: pass, slot: slot, site: site) + siteByteCounts[site]
  }
}
