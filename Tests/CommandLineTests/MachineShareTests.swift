import FixtureSupport
import Testing

@testable import tdm_filter

@Suite("What of the machine the program takes")
struct MachineShareTests {
  private let folder = TemporaryFolder()
  private var share: MachineShare { MachineShare(root: folder.path) }

  init() {
    folder.write("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 100 kB\nMemAvailable: 4000 kB\n")
    folder.write("proc/self/cgroup", "1:name=systemd:/x\n0::/system.slice/filter.service\n")
  }

  private func group(_ path: String, _ file: String, _ text: String) {
    folder.write("sys/fs/cgroup/\(path)\(file)", text + "\n")
  }

  @Test("is bounded by what the kernel says is available, where no group bounds it")
  func machine() {
    group("system.slice/", "memory.max", "max")
    group("system.slice/", "memory.current", "1000")
    group("system.slice/", "cpu.max", "max 100000")
    #expect(share.memory == 4000 << 10)
    #expect(share.processors == nil)
    #expect(MachineShare(root: folder.path + "/nowhere").memory == nil)
  }

  @Test("is what the narrowest of its groups leaves, with what files take in them")
  func groups() {
    group("", "memory.max", "3000000")
    group("", "memory.current", "1000000")
    group("system.slice/filter.service/", "memory.max", "1000000")
    group("system.slice/filter.service/", "memory.current", "900000")
    group(
      "system.slice/filter.service/", "memory.stat", "anon 5\ninactive_file 300000\nactive_file 7")
    #expect(share.memory == 1_000_000 - 900_000 + 300_007)
    group("", "memory.current", "2999000")
    #expect(share.memory == 1000)
    group("system.slice/filter.service/", "memory.current", "2000000")
    #expect(share.memory == 0)
  }

  @Test(
    "are as many processors as the narrowest quota is worth, at least one",
    arguments: [("200000 100000", 2), ("150000 100000", 2), ("1000 100000", 1), ("max 100000", 3)])
  func quota(_ inner: String, _ expected: Int) {
    group("system.slice/", "cpu.max", "300000 100000")
    group("system.slice/filter.service/", "cpu.max", inner)
    #expect(share.processors == expected)
    group("system.slice/", "cpu.max", "of another kind")
    #expect(share.processors == (inner.hasPrefix("max") ? nil : expected))
  }
}
