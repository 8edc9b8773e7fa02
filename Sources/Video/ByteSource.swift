import Glibc
import TensorCore

/// Bytes from a file descriptor, whatever lies behind it: a file, a pipe, a socket, a terminal,
/// blocking or not.
///
/// Short and interrupted reads are continued, and where there is nothing yet it waits. What is read
/// in bulk goes straight to where it belongs; only lines pass through a small buffer. One thread at
/// a time uses it.
public final class ByteSource: @unchecked Sendable {
  // Sendable: it has no lock; its reader's thread alone uses it.
  /// Bytes taken so far.
  public private(set) var position = 0
  /// Whether reading ended because it was interrupted, not because there was no more.
  public private(set) var wasInterrupted = false

  private let descriptor: Int32
  private let interruption: Int32?
  private let buffer: AlignedMemory
  private var start = 0
  private var end = 0

  /// - Parameters:
  ///   - descriptor: stays the caller's to close.
  ///   - interruption: a descriptor that, once it is readable, ends reading as the end of the
  ///     stream would.
  public init(descriptor: Int32, interruption: Int32? = nil) {
    self.descriptor = descriptor
    self.interruption = interruption
    buffer = AlignedMemory(byteCount: 4096)
  }

  /// The next bytes without taking them: fewer than `count` only at the end of the stream.
  /// - Precondition: `count` is at most 4096.
  public func peek(_ count: Int) throws(VideoError) -> [UInt8] {
    precondition(count <= buffer.byteCount)
    while end - start < count, try refill() {}
    return [UInt8](
      UnsafeRawBufferPointer(start: buffer.pointer + start, count: min(count, end - start)))
  }

  /// Takes bytes up to and including the next newline.
  /// - Returns: the line without its newline, and whether there was one: there is none where the
  ///   stream ends first or no newline follows within `limit` bytes. Then what was read is
  ///   returned.
  public func line(limit: Int) throws(VideoError) -> (bytes: [UInt8], isComplete: Bool) {
    var line: [UInt8] = []
    while true {
      if start == end, try !refill() { return (line, false) }
      let rest = UnsafeRawBufferPointer(
        start: buffer.pointer + start, count: min(end - start, limit - line.count))
      let newline = rest.firstIndex(of: 0x0a)
      line.append(contentsOf: rest[..<(newline ?? rest.count)])
      let taken = newline.map { $0 + 1 } ?? rest.count
      start += taken
      position += taken
      if newline != nil { return (line, true) }
      if line.count == limit { return (line, false) }
    }
  }

  /// Fills `destination`.
  /// - Returns: the bytes written to it: fewer than it holds only at the end of the stream.
  public func fill(_ destination: UnsafeMutableRawBufferPointer) throws(VideoError) -> Int {
    guard let base = destination.baseAddress else { return 0 }
    var filled = min(end - start, destination.count)
    memcpy(base, buffer.pointer + start, filled)
    start += filled
    position += filled
    while filled < destination.count {
      let count = try readSome(base + filled, destination.count - filled)
      if count == 0 { break }
      filled += count
      position += count
    }
    return filled
  }

  /// Reads once into the buffer; false at the end.
  private func refill() throws(VideoError) -> Bool {
    if start > 0 {
      memmove(buffer.pointer, buffer.pointer + start, end - start)
      end -= start
      start = 0
    }
    let count = try readSome(buffer.pointer + end, buffer.byteCount - end)
    end += count
    return count > 0
  }

  /// Reads once, having waited as long as it takes; 0 at the end.
  private func readSome(_ destination: UnsafeMutableRawPointer, _ count: Int) throws(VideoError)
    -> Int
  {
    var mustWait = interruption != nil
    while !wasInterrupted {
      // Looking before each read, not only where one would block: a signal that comes between the
      // look and a blocking read would otherwise wait for the next byte.
      if mustWait, try !waitForBytes() { break }
      let read = Glibc.read(descriptor, destination, count)
      if read >= 0 { return read }
      switch errno {
      case EINTR: continue
      case EAGAIN, EWOULDBLOCK: mustWait = true
      default:
        let code = errno
        let error = VideoError.system("reading input at byte \(position + end - start)", code)
        throw code == EISDIR ? VideoError(.transfer, "\(error); give a pipe or a file") : error
      }
    }
    return 0
  }

  /// False where the wait was interrupted.
  private func waitForBytes() throws(VideoError) -> Bool {
    var waited = [
      pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
      pollfd(fd: interruption ?? -1, events: Int16(POLLIN), revents: 0),
    ]
    while poll(&waited, 2, -1) < 0 {
      guard errno == EINTR else {
        throw VideoError.system("waiting for input at byte \(position + end - start)", errno)
      }
    }
    wasInterrupted = waited[1].revents != 0
    return !wasInterrupted
  }
}
