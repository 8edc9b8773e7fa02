import Glibc
import Synchronization

/// A block of zeroed memory on a 64-byte boundary (the width of a cache line and of an AVX-512
/// register), freed with its owner. Large blocks come straight from the kernel: pages that are
/// never touched cost nothing.
public final class AlignedMemory: @unchecked Sendable {
  // Sendable: the object never changes; what lies in the memory belongs to whoever holds the
  // object's owner.
  public static let alignment = 64
  private static let mappedFrom = 1 << 20

  public let byteCount: Int
  package let pointer: UnsafeMutableRawPointer
  private let mapped: Bool

  /// What is done where memory without which nothing goes on is refused. Should it return, a fatal
  /// error follows.
  public static let whenRefused = Mutex<@Sendable (OutOfMemory) -> Void>({ _ in })

  /// Ends the program where there is no memory (see ``whenRefused``); for what may be too large,
  /// ``init(checking:for:)``.
  public convenience init(byteCount: Int) {
    do { try self.init(checking: byteCount, for: "a buffer") } catch {
      Self.whenRefused.withLock { $0 }(error)
      fatalError("\(error)")
    }
  }

  /// - Parameter purpose: what the error says the memory was for.
  /// - Throws: ``OutOfMemory`` where the system refuses.
  public init(checking byteCount: Int, for purpose: @autoclosure () -> String) throws(OutOfMemory) {
    let unit = Self.alignment
    let size = max(unit, byteCount.roundedUp(to: unit))
    self.byteCount = size
    mapped = size >= Self.mappedFrom
    if mapped {
      let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
      guard let memory, memory != MAP_FAILED else {
        throw OutOfMemory(byteCount: size, purpose: purpose())
      }
      // Networks walk through megabytes at a time: larger pages save translation misses.
      madvise(memory, size, MADV_HUGEPAGE)
      pointer = memory
    } else {
      guard let memory = aligned_alloc(unit, size) else {
        throw OutOfMemory(byteCount: size, purpose: purpose())
      }
      memset(memory, 0, size)
      pointer = memory
    }
  }

  deinit {
    if mapped { munmap(pointer, byteCount) } else { free(pointer) }
  }
}

/// The system has not as much memory as is wanted. One line.
public struct OutOfMemory: Error, CustomStringConvertible {
  /// Nil where a library does not tell.
  public let byteCount: Int?
  public let purpose: String

  public init(byteCount: Int? = nil, purpose: String) {
    self.byteCount = byteCount
    self.purpose = purpose
  }

  public var description: String {
    let amount = byteCount.map { ByteCount($0).description } ?? "more"
    return "out of memory: \(amount) wanted for \(purpose), which the system refuses"
  }
}
