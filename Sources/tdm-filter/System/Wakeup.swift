import Glibc

/// Ends another thread's wait in `poll`; calls do not block and do not add up.
final class Wakeup: Sendable {
  /// Readable from a ``signal()`` on until it is cleared.
  let descriptor: Int32
  private let writeEnd: Int32

  /// - Throws: ``Failure`` of status `internalFault` where the system has no pipe left.
  init() throws(Failure) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else {
      throw Failure(
        .internalFault, "cannot make a pipe: \(String(cString: strerror(errno)))")
    }
    for end in ends {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    descriptor = ends[0]
    writeEnd = ends[1]
  }

  deinit {
    close(descriptor)
    close(writeEnd)
  }

  func signal() {
    var byte: UInt8 = 1
    // A full pipe is fine: it says the same already.
    _ = write(writeEnd, &byte, 1)
  }

  /// Makes it ready for the next signal.
  func clear() {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 1) { buffer in
      while read(descriptor, buffer.baseAddress!, buffer.count) == buffer.count {}
    }
  }
}
