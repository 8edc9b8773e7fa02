import Glibc
import TensorCore

/// A file that is open to be read, piece by piece.
///
/// It is not mapped: a mapped file that shrinks ends the program (SIGBUS), while one that is read
/// gives an error. What is read is copied into other layouts at once anyway.
final class ReadFile: WeightStorage {
  let path: String
  /// As it was when the file was opened.
  let byteCount: Int
  private let descriptor: Int32

  /// - Throws: `ModelError` where the file cannot be read or is none; nil where there is nothing at
  ///   `path`.
  static func open(_ path: String) throws(ModelError) -> ReadFile? {
    // Non-blocking, or a named pipe would hold us here for ever.
    let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw ModelError("\(path): cannot be opened: \(String(cString: strerror(errno)))")
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw ModelError("\(path): cannot be examined: \(String(cString: strerror(code)))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw ModelError("\(path): expected a file, found a folder, a device or a pipe")
    }
    return ReadFile(path: path, descriptor: descriptor, byteCount: Int(status.st_size))
  }

  private init(path: String, descriptor: Int32, byteCount: Int) {
    self.path = path
    self.descriptor = descriptor
    self.byteCount = byteCount
  }

  deinit { close(descriptor) }

  func withBytes<R>(
    in range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R
  ) throws(StorageError) -> R {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
    let memory: AlignedMemory
    do throws(OutOfMemory) {
      memory = try AlignedMemory(checking: range.count, for: path)
    } catch { throw .outOfMemory(error) }
    var filled = 0
    while filled < range.count {
      let count = pread(
        descriptor, memory.pointer + filled, range.count - filled,
        off_t(range.lowerBound + filled))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        throw .unreadable(
          count == 0
            ? "\(path): ends at byte \(range.lowerBound + filled), expected \(byteCount) bytes as when it was "
              + "opened: replace a model's files by renaming new ones over them, never by writing into them"
            : "\(path): cannot be read at byte \(range.lowerBound + filled): "
              + String(cString: strerror(errno)))
      }
      filled += count
    }
    return body(UnsafeRawBufferPointer(start: memory.pointer, count: range.count))
  }
}

extension StoredFile {
  /// The whole of a file.
  init(_ file: ReadFile) {
    self.init(name: file.path, storage: file, range: 0..<file.byteCount)
  }
}

/// `open`, under a name that does not collide with the method's.
private func systemOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
