import Glibc

/// How long threads that compute together look for each other before they sleep.
///
/// libgomp's own limit is some 300,000 looks, milliseconds at each of the hundreds of meetings that
/// a frame takes: beside another program that uses a processor, that is more than half of the
/// speed. Fewer looks lose less of it there, and alone some at small sizes (BENCHMARKS.md).
enum SpinLimit {
  private static let looks = "2000"

  /// Sets it, unless who starts the program has chosen. libgomp reads it before `main`: so the
  /// program starts itself anew, with the signals blocked that are. Where it cannot, it goes on
  /// without.
  static func set() {
    guard getenv("GOMP_SPINCOUNT") == nil, getenv("OMP_WAIT_POLICY") == nil else { return }
    // What runs is not always the program: a loader or an emulator may have been asked to run it.
    let own = "/proc/self/exe".withCString { realpath($0, nil) }
    guard let own else { return }
    defer { free(own) }
    guard let called = CommandLine.arguments.first,
      name(of: String(cString: own)) == name(of: called),
      setenv("GOMP_SPINCOUNT", looks, 1) == 0
    else { return }
    execv(own, CommandLine.unsafeArgv)
  }

  private static func name(of path: String) -> Substring? { path.split(separator: "/").last }
}
