import Glibc

/// Ends reading from another thread or a signal handler: a source that waits for bytes stops
/// waiting.
public final class Interruption: Sendable {
  private let readEnd: Int32
  /// A signal handler writes a byte here (`write` may be called from one; Swift code may not).
  public let writeEnd: Int32

  /// - Throws: ``VideoError`` of kind `transfer` where the system has no pipe left.
  public init() throws(VideoError) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw VideoError.system("cannot make a pipe", errno) }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    readEnd = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(readEnd)
    close(writeEnd)
  }

  /// Interrupts every source that was made with this, now and from now on.
  public func raise() {
    var byte: UInt8 = 1
    // A full pipe is fine: it says the same already.
    _ = write(writeEnd, &byte, 1)
  }

  var descriptor: Int32 { readEnd }
}

extension VideoError {
  /// The one way from errno to an error.
  static func system(_ what: String, _ code: Int32) -> VideoError {
    VideoError(
      code == EPIPE ? .readerGone : .transfer, "\(what): \(String(cString: strerror(code)))")
  }
}
