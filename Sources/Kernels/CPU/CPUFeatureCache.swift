import TensorCore

/// Features in the processor's memory: pass by pass, slot by slot, site by site, tensor by tensor.
final class CPUFeatureCache: FeatureCache {
  private let memory: AlignedMemory
  private let slots: Int
  /// From a slot's start to a site's tensors.
  private let offsets: [[Int]]
  private let slotByteCount: Int

  init(sites: [FeatureSite], type: ElementType, passes: Int, slots: Int) throws(OutOfMemory) {
    self.slots = slots
    var end = 0
    offsets = sites.map { site in
      site.shapes.map { shape in
        defer { end += Self.aligned(shape.count * type.byteCount) }
        return end
      }
    }
    slotByteCount = end
    memory = try AlignedMemory(
      checking: passes * slots * end, for: "the features that windows read")
  }

  var byteCount: Int { memory.byteCount }

  /// What a cache takes, which is known before it is made.
  static func byteCount(sites: [FeatureSite], type: ElementType, passes: Int, slots: Int) -> Int {
    passes * slots
      * sites.flatMap(\.shapes).reduce(0) { $0 + aligned($1.count * type.byteCount) }
  }

  private static func aligned(_ byteCount: Int) -> Int { (byteCount + 63) / 64 * 64 }

  func pointer(pass: Int, slot: Int, site: Int, part: Int) -> UnsafeMutableRawPointer {
    precondition(slot < slots)
    return memory.pointer + (pass * slots + slot) * slotByteCount + offsets[site][part]
  }
}
