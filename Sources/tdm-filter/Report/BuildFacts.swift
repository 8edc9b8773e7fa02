import ControlProtocol
import Kernels
import ModelFiles
import Video

/// What `--version` tells: what a report of a fault needs.
enum BuildFacts {
  static var text: String {
    let libraries = KernelLibraries.versions + VideoLibraries.versions + ModelLibraries.versions
    return """
      tdm-filter \(TDMFilter.version)
      messages: protocol \(protocolVersion)
      built with: Swift \(compiler), \(isOptimized ? "optimized" : "for debugging")
      libraries: \(libraries.map { "\($0.name) \($0.version)" }.joined(separator: ", "))
      instruction sets: \(CPUDevice.instructionSet) is used, bf16 \(bf16)
      """
  }

  private static var bf16: String {
    CPUDevice.favoursBF16 ? "is the default" : CPUDevice.supportsBF16 ? "is possible" : "is not"
  }

  private static var compiler: String {
    #if compiler(>=6.5)
      "6.5 or later"
    #elseif compiler(>=6.4)
      "6.4"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }

  private static var isOptimized: Bool {
    #if DEBUG
      false
    #else
      true
    #endif
  }
}
