import Glibc
import Synchronization

/// Lines on stderr for a person, each beginning with the program's name. On a terminal one line may be rewritten in place.
final class Messages: Sendable {
  static let standard = Messages(descriptor: STDERR_FILENO)

  /// Whether a person watches: a line can be rewritten.
  let isTerminal: Bool
  private let descriptor: Int32
  /// Whether the line in place is yet to be ended.
  private let hasOpenLine = Mutex(false)

  init(descriptor: Int32) {
    self.descriptor = descriptor
    isTerminal = isatty(descriptor) == 1
  }

  /// Writes a line.
  func tell(_ line: String) {
    hasOpenLine.withLock { isOpen in
      write((isOpen ? "\n" : "") + "tdm-filter: \(line)\n", patience: Self.patience)
      isOpen = false
    }
  }

  /// Writes a line over the one that was last written so.
  func show(_ line: String) {
    hasOpenLine.withLock { isOpen in
      write("\r\u{1b}[Ktdm-filter: \(line)", patience: 0)
      isOpen = true
    }
  }

  /// How long a line waits for room where a neighbour has set stderr non-blocking, in milliseconds.
  private static let patience: Int32 = 1000

  /// In one piece where there is room, so that lines of two programs on one terminal do not mix. What cannot be written
  /// is lost: there is nowhere to say so.
  private func write(_ text: String, patience: Int32) {
    let bytes = Array(text.utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress! + written, $0.count - written)
      }
      if count >= 0 {
        written += count
        continue
      }
      if errno == EINTR { continue }
      var waited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      guard errno == EAGAIN, poll(&waited, 1, patience) > 0 else { return }
    }
  }
}
