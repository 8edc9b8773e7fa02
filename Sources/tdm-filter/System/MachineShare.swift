import Glibc

/// What of the machine this process may take: by the kernel, and by the control groups (of version
/// 2) that it is in, as containers and services are.
struct MachineShare {
  /// Where `proc` and `sys` lie.
  var root = ""

  /// Bytes that can be taken without pushing others out; nil where the kernel does not say.
  var memory: Int? {
    let bounds = controlGroups.compactMap { remainingMemory(in: $0) }
    return ([kernelMemory].compactMap { $0 } + bounds).min()
  }

  /// As many processors as the groups' quotas of time are worth, a part of one counting as one;
  /// nil where none is set. More threads would be halted, and those that wait for them, for the
  /// rest of each period.
  var processors: Int? { controlGroups.compactMap { processors(in: $0) }.min() }

  private var kernelMemory: Int? {
    let line = text("/proc/meminfo")?.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }
    return line?.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
  }

  /// The process's group and all above it, as folders.
  private var controlGroups: [String] {
    guard
      let own = text("/proc/self/cgroup")?.split(separator: "\n").first(where: {
        $0.hasPrefix("0::/")
      })
    else { return [] }
    let names = own.dropFirst("0::/".count).split(separator: "/")
    return (0...names.count).map { "/sys/fs/cgroup/" + names.prefix($0).joined(separator: "/") }
  }

  private func remainingMemory(in group: String) -> Int? {
    guard let limit = number("\(group)/memory.max"), let used = number("\(group)/memory.current")
    else { return nil }
    return max(0, limit - used + reclaimable(in: group))
  }

  /// What of the group's use the kernel gives up where it is wanted: files that were read, as the
  /// video itself.
  private func reclaimable(in group: String) -> Int {
    let lines = text("\(group)/memory.stat")?.split(separator: "\n") ?? []
    return ["inactive_file ", "active_file "].reduce(0) { sum, name in
      let line = lines.first { $0.hasPrefix(name) }
      return sum + (line.flatMap { Int($0.dropFirst(name.count)) } ?? 0)
    }
  }

  /// `cpu.max` holds microseconds of time in each period of so many, or `max`.
  private func processors(in group: String) -> Int? {
    let words = text("\(group)/cpu.max")?.split { $0 == " " || $0 == "\n" } ?? []
    guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]), period > 0
    else { return nil }
    return max(1, (quota + period - 1) / period)
  }

  private func number(_ path: String) -> Int? {
    text(path)?.split(separator: "\n").first.flatMap { Int($0) }
  }

  /// A small file of the kernel's.
  private func text(_ path: String) -> String? {
    let file = open(root + path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    let count = read(file, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
  }
}
