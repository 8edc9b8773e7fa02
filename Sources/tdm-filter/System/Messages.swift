import Glibc
import Synchronization

/// Lines on stderr for a person, each beginning with the program's name. On a terminal one line may
/// be rewritten in place.
final class Messages: Sendable {
  static let standard = Messages(descriptor: STDERR_FILENO)

  /// Whether a person watches: a line can be rewritten.
  let isTerminal: Bool
  private let descriptor: Int32
  /// For what is written at once or not at all. A terminal that is ready for a byte may hold a line
  /// up: it is opened anew, for this to be non-blocking by itself.
  private let impatient: Int32
  /// Whether the line in place is yet to be ended.
  private let hasOpenLine = Mutex(false)

  init(descriptor: Int32) {
    self.descriptor = descriptor
    isTerminal = isatty(descriptor) == 1
    let again = isTerminal ? Self.opened(descriptor) : -1
    impatient = again < 0 ? descriptor : again
  }

  /// The file of a descriptor, opened once more for writing without blocking; -1 where it cannot
  /// be. Not as 0 to 2: which of these are closed is to be seen.
  private static func opened(_ descriptor: Int32) -> Int32 {
    let opened = open(
      "/proc/self/fd/\(descriptor)", O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    guard (0...STDERR_FILENO).contains(opened) else { return opened }
    defer { close(opened) }
    return fcntl(opened, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
  }

  deinit { if impatient != descriptor { close(impatient) } }

  /// Writes a line, however long that takes: for what has to be known.
  func deliver(_ line: String) {
    hasOpenLine.withLock { isOpen in
      write((isOpen ? "\n" : "") + "tdm-filter: \(line)\n", patience: Self.patience)
      isOpen = false
    }
  }

  /// Writes a line if that can be done at once: frames do not wait for a terminal that somebody
  /// holds up.
  func offer(_ line: String) {
    attempt { isOpen in
      // A prompt may be longer than what a pipe takes without making the frames wait.
      let text = String(decoding: line.utf8.prefix(Self.longestOffer), as: UTF8.self)
      write((isOpen ? "\n" : "") + "tdm-filter: \(text)\n", patience: 0)
      isOpen = false
    }
  }

  /// Writes a line over the one that was last written so, if that can be done at once.
  func show(_ line: String) {
    attempt { isOpen in
      // What goes on in another row could not be taken back.
      let text = "tdm-filter: \(line)".prefix(max(columns - 1, 20))
      write("\r\u{1b}[K\(text)", patience: 0)
      isOpen = true
    }
  }

  /// Ends the line in place, if there is one and that can be done at once.
  func endLine() {
    attempt { isOpen in
      if isOpen { write("\n", patience: 0) }
      isOpen = false
    }
  }

  /// Of the terminal.
  private var columns: Int {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
      ? Int(size.ws_col) : 80
  }

  /// Writes lines as they are, if that can be done at once.
  func print(_ lines: String) {
    attempt { _ in write(lines, patience: 0) }
  }

  private func attempt(_ body: (inout Bool) -> Void) {
    _ = hasOpenLine.withLockIfAvailable { isOpen in
      var waited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      if poll(&waited, 1, 0) > 0 { body(&isOpen) }
    }
  }

  /// In bytes; with what stands about it below PIPE_BUF, which a pipe that is ready takes at once.
  private static let longestOffer = 4000

  /// How long what has to be known waits for room where a neighbour has set stderr non-blocking, in
  /// milliseconds.
  private static let patience: Int32 = 1000

  /// In one piece where there is room, so that lines of two programs on one terminal do not mix.
  /// What cannot be written is lost: there is nowhere to say so.
  private func write(_ text: String, patience: Int32) {
    let descriptor = patience == 0 ? impatient : descriptor
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
