import Glibc
import Synchronization

/// How the process ends before its time: with a line on stderr, its status, and nothing left
/// behind. Nothing else has to be written then, so that it can end whatever other threads are at.
enum Ending {
  /// The control socket, whose file would stay.
  private static let socket = Mutex<ControlSocket?>(nil)

  /// Has the socket's file go with the process.
  static func remove(_ socket: ControlSocket) { self.socket.withLock { $0 = socket } }

  /// The line is written however long that takes.
  static func because(of failure: Failure) -> Never {
    Messages.standard.deliver(failure.description)
    end(failure)
  }

  /// Nothing is waited for: the line is lost where stderr does not take it.
  static func atOnce(because failure: Failure) -> Never {
    Messages.standard.offer(failure.description)
    end(failure)
  }

  private static func end(_ failure: Failure) -> Never {
    socket.withLock { $0 }?.remove()
    _exit(failure.status.rawValue)
  }
}
