import Foundation

/// A library between the program and the C library that lets things go wrong:
/// `Tests/Interposer/interposer.c` says how.
enum Interposer {
  /// It, compiled, in the temporary directory until the tests end.
  private static let library = Result {
    let source = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Interposer/interposer.c")
    let library = FileManager.default.temporaryDirectory
      .appending(path: "tdm-interposer-\(getpid()).so").path
    let result = try FilterProcess.pipeline(
      "clang -shared -fPIC -O1 -Wall -Werror -o '\(library)' '\(source.path)'")
    guard result.status == 0 else { throw Uncompiled(description: result.errors) }
    atexit { Interposer.remove() }
    return library
  }

  private static func remove() { if let path = try? library.get() { unlink(path) } }

  struct Uncompiled: Error, CustomStringConvertible { let description: String }

  /// Runs the program on the whole input while `faults` happen.
  static func run(
    _ faults: String, _ arguments: [String], input: [UInt8]
  ) throws -> FilterResult {
    let words = arguments.map { "'\($0)'" }.joined(separator: " ")
    return try FilterProcess.pipeline(
      "INTERPOSE=\(faults) LD_PRELOAD='\(library.get())' exec \"$TDM_FILTER\" \(words)",
      input: input)
  }
}
