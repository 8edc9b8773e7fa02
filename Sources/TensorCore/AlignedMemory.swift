#if canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A block of zeroed memory on a 64-byte boundary (the width of a cache line and of an AVX-512 register), freed with
/// its owner. Large blocks come straight from the kernel: pages that are never touched cost nothing.
public final class AlignedMemory: @unchecked Sendable {
  // Sendable: the object never changes; what lies in the memory belongs to whoever holds the object's owner.
  public static let alignment = 64
  private static let mappedFrom = 1 << 20

  public let byteCount: Int
  package let pointer: UnsafeMutableRawPointer
  private let mapped: Bool

  public init(byteCount: Int) {
    let unit = Self.alignment
    let size = max(unit, (byteCount + unit - 1) / unit * unit)
    self.byteCount = size
    mapped = size >= Self.mappedFrom
    if mapped {
      let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard let memory, memory != MAP_FAILED else {
        fatalError("out of memory: \(size) bytes wanted")
      }
      // Networks walk through megabytes at a time: larger pages save translation misses.
      madvise(memory, size, MADV_HUGEPAGE)
      pointer = memory
    } else {
      guard let memory = aligned_alloc(unit, size) else {
        fatalError("out of memory: \(size) bytes wanted")
      }
      memset(memory, 0, size)
      pointer = memory
    }
  }

  deinit {
    if mapped { munmap(pointer, byteCount) } else { free(pointer) }
  }
}
