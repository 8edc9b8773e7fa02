import Glibc

/// The Unix socket that clients find: its place in the file system, taken and given back.
///
/// Only the user's own processes may connect: the file's mode is 0600 from the moment it is there.
struct ControlSocket: Sendable {
  let path: String
  /// Bound and listening.
  let descriptor: Int32
  /// The file, to recognize it at the end.
  private let identity: Identity

  private struct Identity: Equatable, Sendable {
    let device: UInt
    let inode: UInt

    init?(_ path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      device = UInt(status.st_dev)
      inode = UInt(status.st_ino)
    }
  }

  /// Takes the place: a socket that a program left behind is replaced, anything else is not.
  /// - Throws: ``Failure`` of status `usage` where the path cannot be one, or somebody listens
  ///   there; of status `inputOutput` where the system refuses.
  init(path: String) throws(Failure) {
    guard let address = UnixAddress(path) else {
      throw Failure(
        .usage,
        "--control \(path): expected a path of 1 to \(UnixAddress.longest) bytes, found \(path.utf8.count); give one of that length"
      )
    }
    // Two programs that start at once look one after the other. A lock on the folder leaves no file
    // behind.
    let folder = open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw Self.refused(path) }
    defer { close(folder) }
    try Self.lock(folder, path)
    try Self.removeStale(path, address)

    let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { throw Self.refused(path) }
    // The file gets the mode that its socket has when it is bound: there is no moment at which it
    // has another.
    guard fchmod(socket, 0o600) == 0, address.withPointer({ bind(socket, $0, $1) }) == 0,
      listen(socket, 16) == 0, let identity = Identity(path)
    else {
      let failure = Self.refused(path)
      close(socket)
      throw failure
    }
    self.path = path
    descriptor = socket
    self.identity = identity
  }

  /// Waits for a lock, but not for long: a stranger may hold it for as long as they like.
  private static func lock(_ folder: Int32, _ path: String) throws(Failure) {
    for _ in 0..<100 {
      if flock(folder, LOCK_EX | LOCK_NB) == 0 { return }
      guard errno == EINTR || errno == EWOULDBLOCK else { throw refused(path) }
      usleep(20_000)
    }
    throw Failure(
      .usage,
      "--control \(path): another program holds a lock on its folder; give a path in a folder of your own"
    )
  }

  /// Gives the place back, if it still is this socket's.
  func remove() {
    if Identity(path) == identity { unlink(path) }
  }

  private static func removeStale(_ path: String, _ address: UnixAddress) throws(Failure) {
    var status = stat()
    guard lstat(path, &status) == 0 else {
      if errno == ENOENT { return }
      throw refused(path)
    }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw Failure(
        .usage,
        "--control \(path): expected a free place or a socket, found a file of another kind; remove it, or give another path"
      )
    }
    let probe = Glibc.socket(
      AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard probe >= 0 else { throw refused(path) }
    defer { close(probe) }
    let isRefused = address.withPointer { connect(probe, $0, $1) } != 0 && errno == ECONNREFUSED
    guard isRefused else {
      throw Failure(
        .usage, "--control \(path): another program listens there; end it, or give another path")
    }
    guard unlink(path) == 0 || errno == ENOENT else { throw refused(path) }
  }

  /// The folder that the socket lies in.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// What the system's last error comes to.
  private static func refused(_ path: String) -> Failure {
    let code = errno
    let reason = String(cString: strerror(code))
    return [ENOENT, ENOTDIR, EACCES, EPERM, EROFS].contains(code)
      ? Failure(
        .usage,
        "--control \(path): expected a folder in which files can be made, found: \(reason); make it, or give another path"
      ) : Failure(.inputOutput, "--control \(path): \(reason)")
  }
}
