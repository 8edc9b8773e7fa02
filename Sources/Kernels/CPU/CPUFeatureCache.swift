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
        defer { end += Self.byteCount(shape, type) }
        return end
      }
    }
    slotByteCount = end
    memory = try AlignedMemory(
      checking: passes * slots * end, for: "the features that windows read")
  }

  /// What a cache takes, which is known before it is made.
  static func byteCount(sites: [FeatureSite], type: ElementType, passes: Int, slots: Int) -> Int {
    passes * slots
      * sites.flatMap(\.shapes).reduce(0) { $0 + byteCount($1, type) }
  }

  private static func byteCount(_ shape: Shape, _ type: ElementType) -> Int {
    (shape.count * type.byteCount).roundedUp(to: AlignedMemory.alignment)
  }

  func pointer(pass: Int, slot: Int, site: Int, part: Int) -> UnsafeMutableRawPointer {
    precondition(slot < slots)
    return memory.pointer + (pass * slots + slot) * slotByteCount + offsets[site][part]
  }
}
