import Glibc

/// What the machine has left for this process.
enum MachineMemory {
  /// Bytes that can be taken without pushing others out: what the kernel says is available, or less
  /// where a control group (of version 2) bounds the process.
  /// - Returns: nil where the kernel does not say.
  static var available: Int? {
    let bounds = controlGroups.compactMap { remaining(in: $0) }
    return ([kernelAvailable].compactMap { $0 } + bounds).min()
  }

  private static var kernelAvailable: Int? {
    let line = text("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
  }

  /// The process's group of version 2 and all above it, as folders.
  private static var controlGroups: [String] {
    guard
      let own = text("/proc/self/cgroup")?.split(separator: "\n").first(where: {
        $0.hasPrefix("0::/")
      })
    else { return [] }
    let names = own.dropFirst("0::/".count).split(separator: "/")
    return (0...names.count).map { "/sys/fs/cgroup/" + names.prefix($0).joined(separator: "/") }
  }

  private static func remaining(in group: String) -> Int? {
    guard let limit = number("\(group)/memory.max"), let used = number("\(group)/memory.current")
    else { return nil }
    return max(0, limit - used + reclaimable(in: group))
  }

  /// What of the group's use the kernel gives up where it is wanted: files that were read, as the
  /// video itself.
  private static func reclaimable(in group: String) -> Int {
    let lines = text("\(group)/memory.stat")?.split(separator: "\n") ?? []
    return ["inactive_file ", "active_file "].reduce(0) { sum, name in
      let line = lines.first { $0.hasPrefix(name) }
      return sum + (line.flatMap { Int($0.dropFirst(name.count)) } ?? 0)
    }
  }

  private static func number(_ path: String) -> Int? {
    text(path)?.split(separator: "\n").first.flatMap { Int($0) }
  }

  /// A small file of the kernel's.
  private static func text(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    let count = read(file, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}
