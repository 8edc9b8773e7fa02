import CProcess
import Glibc
import Synchronization
import Video

/// SIGINT and SIGTERM: the first asks the program to stop reading and finish what was read, a
/// second one ends it at once.
///
/// All threads of the program's own block both, and one waits for them: system calls are not
/// interrupted. Threads that libraries start before `main` pass them on.
final class StopSignal: Sendable {
  /// Ends reading when a stop is asked for.
  let interruption: Wakeup
  private let requested = Atomic<Bool>(false)
  private let isClients = Atomic<Bool>(false)

  /// Whether a stop was asked for.
  var isRequested: Bool { requested.load(ordering: .acquiring) }

  /// Whether it was a client that asked first.
  var isRequestedByClient: Bool { isClients.load(ordering: .acquiring) }

  /// Asks for a stop as the first signal does.
  func request() {
    if !isRequested { isClients.store(true, ordering: .releasing) }
    requested.store(true, ordering: .releasing)
    interruption.signal()
  }

  init() throws(Failure) {
    interruption = try Wakeup()
  }

  /// Has both signals wait until they are taken over. As early as can be: they end the process
  /// until then.
  @discardableResult
  static func block() -> sigset_t {
    for number in [SIGINT, SIGTERM] { tdm_leave_signal_to_waiting(number) }
    return set(SIG_BLOCK)
  }

  /// Has both end the process again, for a run that has nothing to finish.
  static func unblock() {
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
    _ = set(SIG_UNBLOCK)
  }

  private static func set(_ how: Int32) -> sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(how, &signals, nil)
    return signals
  }

  /// Turns SIGPIPE and SIGXFSZ off: a reader that goes away and a file that may not grow are errors
  /// of a write, told as such.
  static func leaveFailuresToWrites() {
    for number in [SIGPIPE, SIGXFSZ] { signal(number, SIG_IGN) }
  }

  /// Takes over both signals.
  ///
  /// To be called once, before any other thread is started: threads inherit what is blocked.
  /// - Parameter announce: gets a line for the person, from another thread.
  func take(announce: @escaping @Sendable (String) -> Void) throws(Failure) {
    let awaited = Self.block()
    try PlainThread.start(name: "signals", stackByteCount: 256 << 10) { [self] in
      var awaited = awaited
      var number: Int32 = 0
      var isSecond = false
      while true {
        guard sigwait(&awaited, &number) == 0 else { continue }
        let name = number == SIGINT ? "SIGINT" : "SIGTERM"
        // A client's wish to stop is no signal: who sends the first one after it loses nothing
        // either.
        if isSecond {
          let status: ProgramStatus = number == SIGINT ? .interrupted : .terminated
          Ending.atOnce(
            because: Failure(
              status, "\(name) again: ended at once, frames in progress are lost"))
        }
        announce("\(name): reading ends, frames already read are finished; once more ends at once")
        isSecond = true
        requested.store(true, ordering: .releasing)
        interruption.signal()
      }
    }
  }
}
