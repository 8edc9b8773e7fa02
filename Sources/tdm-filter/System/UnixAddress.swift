import Glibc

/// The address of a Unix socket: a path, or after `@` a name in the kernel's abstract namespace.
struct UnixAddress {
  /// The longest that the kernel takes, in bytes.
  static let longest = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  private var address = sockaddr_un()
  private let length: socklen_t

  /// - Parameter isAbstract: the name is not one of a file.
  /// - Returns: nil where the name is empty or too long.
  init?(_ name: String, isAbstract: Bool = false) {
    let bytes = Array(name.utf8)
    guard !bytes.isEmpty, bytes.count <= Self.longest else { return nil }
    address.sun_family = sa_family_t(AF_UNIX)
    let offset = isAbstract ? 1 : 0
    withUnsafeMutableBytes(of: &address.sun_path) { path in
      for (index, byte) in bytes.prefix(path.count - offset).enumerated() {
        path[index + offset] = byte
      }
    }
    // An abstract name has as many bytes as are counted; a path ends at its zero.
    length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path)! + bytes.count + 1)
  }

  /// Calls `bind`, `connect` or `sendto`, as they want it.
  func withPointer<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    withUnsafePointer(to: address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}
