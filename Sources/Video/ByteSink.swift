import Glibc

/// Bytes to a file descriptor: short, interrupted and would-block writes are continued until all is
/// written.
///
/// A reader that has gone is an error of its own kind, provided that the program ignores SIGPIPE.
/// One thread at a time uses it.
public final class ByteSink: @unchecked Sendable {
  // Sendable: it has no lock; its writer's thread alone uses it.
  /// Bytes written so far.
  public private(set) var position = 0
  /// When the first byte of the last write had gone out.
  public private(set) var firstByteInstant = ContinuousClock.now
  private let descriptor: Int32

  /// - Parameter descriptor: stays the caller's to close.
  public init(descriptor: Int32) { self.descriptor = descriptor }

  /// - Throws: ``VideoError`` of kind `readerGone` for EPIPE, or ECONNRESET of a socket whose
  ///   reader left something unread; else of kind `transfer`.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(VideoError) {
    guard let base = bytes.baseAddress else { return }
    var written = 0
    while written < bytes.count {
      let count = Glibc.write(descriptor, base + written, bytes.count - written)
      if count >= 0 {
        if written == 0 { firstByteInstant = .now }
        written += count
        position += count
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN, EWOULDBLOCK: try waitForRoom()
      case EPIPE, ECONNRESET:
        throw VideoError(
          .readerGone,
          "writing output at byte \(position): whoever read it has closed it; see what ended that "
            + "program"
        )
      default: throw VideoError.system("writing output at byte \(position)", errno)
      }
    }
  }

  public func write(_ text: String) throws(VideoError) {
    var text = text
    // The closure's own errors are what comes out of it: a typed result carries them.
    try text.withUTF8 { utf8 in
      Result { () throws(VideoError) in try write(UnsafeRawBufferPointer(utf8)) }
    }.get()
  }

  /// Has the system tell what it has not told yet: that a file on another machine, or over its
  /// quota, could not be written may come out only when it is closed. The descriptor stays open.
  public func finish() throws(VideoError) {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0, close(copy) != 0, errno != EINTR else { return }
    throw VideoError.system("finishing output at byte \(position)", errno)
  }

  private func waitForRoom() throws(VideoError) {
    var waited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    while poll(&waited, 1, -1) < 0 {
      guard errno == EINTR else {
        throw VideoError.system("waiting to write output at byte \(position)", errno)
      }
    }
  }
}
