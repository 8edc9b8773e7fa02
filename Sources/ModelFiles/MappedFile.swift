import TensorCore

#if canImport(Musl)
  import Musl
#else
  import Glibc
#endif

/// A file mapped into memory, read-only. Pages are read when they are first touched.
///
/// A file that shrinks while it is mapped ends the program (SIGBUS), as with every mapping: replace a model's files by
/// renaming new ones over them, never by writing into them.
final class MappedFile: WeightStorage {
  let path: String
  let byteCount: Int
  nonisolated(unsafe) private let base: UnsafeRawPointer?

  /// - Throws: `ModelError` where the file cannot be read or is none; nil where there is nothing at `path`.
  static func open(_ path: String) throws(ModelError) -> MappedFile? {
    // Non-blocking, or a named pipe would hold us here for ever.
    let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw ModelError("\(path): cannot be opened: \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw ModelError("\(path): cannot be examined: \(String(cString: strerror(errno)))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ModelError("\(path): expected a file, found a folder, a device or a pipe")
    }
    guard status.st_size > 0 else { return MappedFile(path: path, base: nil, byteCount: 0) }
    let size = Int(status.st_size)
    let memory = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let memory, memory != MAP_FAILED else {
      throw ModelError("\(path): cannot be mapped: \(String(cString: strerror(errno)))")
    }
    return MappedFile(path: path, base: UnsafeRawPointer(memory), byteCount: size)
  }

  private init(path: String, base: UnsafeRawPointer?, byteCount: Int) {
    self.path = path
    self.base = base
    self.byteCount = byteCount
  }

  deinit {
    if let base { munmap(UnsafeMutableRawPointer(mutating: base), byteCount) }
  }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws -> R
  ) rethrows -> R {
    let all = UnsafeRawBufferPointer(start: base, count: byteCount)
    return try body(UnsafeRawBufferPointer(rebasing: all[range]))
  }

  /// Gives the whole pages in `range` back. Nobody writes to the mapping, so the kernel reads them again when asked to.
  func discard(_ range: Range<Int>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (range.lowerBound + page - 1) / page * page
    let last = range.upperBound / page * page
    guard let base, first < last else { return }
    madvise(UnsafeMutableRawPointer(mutating: base) + first, last - first, MADV_DONTNEED)
  }
}

/// `open`, under a name that does not collide with the method's.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
