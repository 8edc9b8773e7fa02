import ControlProtocol
import Glibc

/// The descriptor that events are written to, as lines. Whoever reads it may be slow, or gone: what
/// it does not take is kept up to a bound, then lost and counted; no write blocks on a pipe or a
/// socket, whose flags are left alone.
struct StatusDescriptor {
  /// As much as a pipe holds by itself.
  private static let capacity = 64 << 10
  /// What a pipe that is ready for writing takes without blocking (PIPE_BUF).
  private static let piece = 4096

  /// Nil once nobody reads any more, or writing has failed.
  private(set) var descriptor: Int32?
  private var failure: Int32?
  private var pending: [UInt8] = []
  private var lostSinceTold = 0
  /// Events that had no room.
  private(set) var lostCount = 0

  init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Whether there is something yet to be written.
  var isBehind: Bool { descriptor != nil && !pending.isEmpty }

  /// Takes the line of an event.
  /// - Parameters:
  ///   - seconds: since the program's start.
  ///   - isLast: whether it is the end's, for which there is always room.
  mutating func write(_ line: [UInt8], at seconds: Double, isLast: Bool = false) {
    guard descriptor != nil else { return }
    var lines = line
    if lostSinceTold > 0 { lines = Event.lost(count: lostSinceTold).line(at: seconds) + line }
    // What is longer than all that is kept, as of a long prompt, has its turn where nothing is.
    guard isLast || pending.isEmpty || pending.count + lines.count <= Self.capacity else {
      lostSinceTold += 1
      lostCount += 1
      return
    }
    lostSinceTold = 0
    pending += lines
    flush()
  }

  /// Why no more is written, where that is not because the reader has gone; once.
  mutating func takeFailure() -> Int32? {
    defer { failure = nil }
    return failure
  }

  /// Writes as much as is taken now.
  mutating func flush() {
    while let descriptor, !pending.isEmpty {
      var waited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard poll(&waited, 1, 0) > 0 else { return }
      let count = pending.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress!, min($0.count, Self.piece))
      }
      if count > 0 {
        pending.removeFirst(count)
      } else if errno != EINTR {
        if errno == EAGAIN || errno == EWOULDBLOCK { return }
        if errno != EPIPE, errno != ECONNRESET { failure = errno }
        self.descriptor = nil
        pending = []
      }
    }
  }
}
