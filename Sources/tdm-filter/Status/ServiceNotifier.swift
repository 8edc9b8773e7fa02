import Glibc
import Synchronization

/// Tells systemd, or whatever else started the program as a service, how it is: a datagram to the
/// socket that `NOTIFY_SOCKET` names. Where there is none nothing is sent.
///
/// Reference: sd_notify(3).
final class ServiceNotifier: Sendable {
  /// How long the compute loop may be silent before the service counts as dead; nil where nobody
  /// watches.
  let watchdogTimeout: Duration?
  private let socket: Int32
  private let lastSign = Atomic<Int>(0)

  /// - Parameter environment: looks a variable up.
  /// - Returns: nil where no notifications are wanted.
  /// - Throws: a line that says why they cannot be sent; the program runs without them.
  init?(environment: (String) -> String?) throws(Unreachable) {
    guard let name = environment("NOTIFY_SOCKET"), !name.isEmpty else { return nil }
    let isAbstract = name.hasPrefix("@")
    guard isAbstract || name.hasPrefix("/"),
      let address = UnixAddress(
        isAbstract ? String(name.dropFirst()) : name, isAbstract: isAbstract)
    else {
      throw Unreachable(
        "NOTIFY_SOCKET=\(name): expected a path from / or a name after @; nothing is sent there")
    }
    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let isConnected = address.withPointer { connect(socket, $0, $1) } == 0
    guard isConnected else {
      let reason = String(cString: strerror(errno))
      if socket >= 0 { close(socket) }
      throw Unreachable("NOTIFY_SOCKET=\(name): \(reason); nothing is sent there")
    }
    self.socket = socket
    // A watchdog that is another process's is none of ours.
    let isOurs = environment("WATCHDOG_PID").map { $0 == String(getpid()) } ?? true
    // Decades are as good as for ever, and no arithmetic with them overflows.
    watchdogTimeout = environment("WATCHDOG_USEC").flatMap(Int.init)
      .flatMap { isOurs && $0 > 0 ? .microseconds(min($0, 1 << 50)) : nil }
  }

  deinit { close(socket) }

  struct Unreachable: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
  }

  /// Sends assignments, one a line. Where the receiver has no room it is waited for, but not long.
  func send(_ assignments: String, patience: Duration = .zero) {
    var waited = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
    if patience > .zero { _ = poll(&waited, 1, Int32(patience / .milliseconds(1))) }
    let bytes = Array(assignments.utf8)
    let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
    _ = Glibc.send(socket, bytes, bytes.count, flags)
  }

  /// A sign of life of the compute loop, from its own thread. Never blocks; may be called as often
  /// as one likes.
  func showLife() {
    guard let watchdogTimeout else { return }
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let now = time.tv_sec * 1_000_000 + time.tv_nsec / 1000
    let period = Int(watchdogTimeout / .microseconds(1)) / 4
    guard now - lastSign.load(ordering: .relaxed) >= period else { return }
    lastSign.store(now, ordering: .relaxed)
    send("WATCHDOG=1")
  }
}
