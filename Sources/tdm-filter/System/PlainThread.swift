import Glibc

/// A thread of the operating system's, with a name and a stack of its own size.
///
/// Reading, computing and writing block for as long as they must: on Swift's cooperative pool they would starve
/// everything else that runs there. Threads run until their body returns or the process ends; nobody waits for them.
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
  static func start(
    name: String, stackByteCount: Int = 8 << 20, body: @escaping @Sendable () -> Void
  ) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setstacksize(&attributes, stackByteCount)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    let start = Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
    var thread = pthread_t()
    let status = pthread_create(&thread, &attributes, { PlainThread.run($0!) }, start)
    guard status == 0 else {
      fatalError("no thread for \(name): \(String(cString: strerror(status)))")
    }
  }
  private static func run(_ start: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    let start = Unmanaged<Start>.fromOpaque(start).takeRetainedValue()
    setName(start.name)
    start.body()
    return nil
  }

  /// Names the calling thread; glibc's own call for it is hidden from Swift.
  private static func setName(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = write(file, name, name.utf8.count)
    close(file)
  }
}
