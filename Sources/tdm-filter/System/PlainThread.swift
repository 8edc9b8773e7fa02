import CProcess
import Glibc

/// A thread of the operating system's, with a name and a stack of its own size.
///
/// Reading, computing and writing block for as long as they must: on Swift's cooperative pool they
/// would starve everything else that runs there. Threads run until their body returns or the
/// process ends; nobody waits for them.
enum PlainThread {
  private final class Start: Sendable {
    let name: String
    let body: @Sendable () -> Void
    init(name: String, body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// - Parameters:
  ///   - name: at most 15 bytes; what `top -H` shows.
  ///   - stackByteCount: address space; memory is taken as the stack grows into it.
  /// - Throws: ``Failure`` where the system has no thread or no memory for its stack.
  static func start(
    name: String, stackByteCount: Int = 8 << 20, body: @escaping @Sendable () -> Void
  ) throws(Failure) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackByteCount)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let start = Unmanaged.passRetained(Start(name: name, body: body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes, { PlainThread.run($0!) }, start.toOpaque())
    guard status == 0 else {
      start.release()
      throw Failure(
        .internalFault,
        "no thread for \(name): \(String(cString: strerror(status))); raise ulimit -u and -v, or end other programs"
      )
    }
  }

  private static func run(_ start: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<Start>.fromOpaque(start).takeRetainedValue()
    tdm_set_thread_name(start.name)
    let faultStack = tdm_take_fault_stack()
    defer { tdm_give_back_fault_stack(faultStack) }
    start.body()
    return nil
  }
}
