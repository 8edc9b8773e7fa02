import Glibc
import Synchronization
import Video

/// SIGINT and SIGTERM: the first asks the program to stop reading and finish what was read, a second one ends it at once.
///
/// All threads block both; one thread waits for them. So no code runs in a signal handler, and system calls are not
/// interrupted.
final class StopSignal: Sendable {
  /// Ends reading when a stop is asked for.
  let interruption: Interruption
  private let requested = Atomic<Bool>(false)

  /// Whether a stop was asked for.
  var isRequested: Bool { requested.load(ordering: .acquiring) }

  init() throws(VideoError) {
    interruption = try Interruption()
  }

  /// Takes over both signals, and turns SIGPIPE off: a reader that goes away is an error of a write, told as such.
  ///
  /// To be called once, before any other thread is started: threads inherit what is blocked.
  /// - Parameter announce: gets a line for the person, from another thread.
  func take(announce: @escaping @Sendable (String) -> Void) {
    signal(SIGPIPE, SIG_IGN)
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let awaited = signals
    PlainThread.start(name: "signals", stackByteCount: 256 << 10) { [self] in
      var awaited = awaited
      var number: Int32 = 0
      while true {
        guard sigwait(&awaited, &number) == 0 else { continue }
        let name = number == SIGINT ? "SIGINT" : "SIGTERM"
        if isRequested {
          announce("\(name) again: ended at once, frames in work are lost")
          _exit((number == SIGINT ? ProgramStatus.interrupted : .terminated).rawValue)
        }
        announce("\(name): reading ends, frames already read are finished; once more ends at once")
        requested.store(true, ordering: .releasing)
        interruption.raise()
      }
    }
  }
}
