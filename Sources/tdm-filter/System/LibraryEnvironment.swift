import CProcess
import Glibc

/// What libraries read from the environment before `main`, and therefore has to be there when the
/// program is started.
///
/// `GOMP_SPINCOUNT` is how long threads that compute together look for each other before they
/// sleep. libgomp's own limit is some 300,000 looks, milliseconds at each of the hundreds of
/// meetings that a frame takes: beside another program that uses a processor, that is more than
/// half of the speed. Fewer looks lose less of it there, and alone some at small sizes
/// (BENCHMARKS.md).
///
/// `OPENBLAS_NUM_THREADS` keeps OpenBLAS from starting threads, which the program has no use for
/// and which would be outside of the ``Sandbox``: Landlock binds the thread that asks for it and
/// those that it starts.
enum LibraryEnvironment {
  private static let looks = "2000"

  /// Sets it, the looks only where who starts the program has chosen nothing. Where something has
  /// changed the program starts itself anew, with the signals blocked that are; where it cannot, it
  /// goes on without.
  static func set() {
    let looksAreChosen = getenv("GOMP_SPINCOUNT") != nil || getenv("OMP_WAIT_POLICY") != nil
    let isAlone = getenv("OPENBLAS_NUM_THREADS").map { String(cString: $0) == "1" } ?? false
    // A loader would take the arguments for its own.
    guard !looksAreChosen || !isAlone, tdm_was_loaded_by_kernel() != 0,
      let own = realpath("/proc/self/exe", nil)
    else { return }
    defer { free(own) }
    guard
      looksAreChosen || setenv("GOMP_SPINCOUNT", looks, 1) == 0,
      isAlone || setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0
    else { return }
    execv(own, CommandLine.unsafeArgv)
  }
}
