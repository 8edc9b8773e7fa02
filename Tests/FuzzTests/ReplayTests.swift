import Foundation
import Testing

/// What the fuzzers started from and what they found, again. `make fuzz` looks for more.
@Suite("Bytes that may be anything")
struct ReplayTests {
  private static func corpus(_ target: FuzzTarget) throws -> [[UInt8]] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "Corpus/\(target.rawValue)")
    return try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil
    ).sorted { $0.path < $1.path }.map { try [UInt8](Data(contentsOf: $0)) }
  }

  @Test("give a result or an error", arguments: FuzzTarget.allCases)
  func replay(target: FuzzTarget) throws {
    let inputs = try Self.corpus(target)
    try #require(!inputs.isEmpty)
    for bytes in inputs { bytes.withUnsafeBytes { target.run($0) } }
  }

  @Test("and so does each of them cut short or with a byte changed", arguments: FuzzTarget.allCases)
  func damage(target: FuzzTarget) throws {
    for bytes in try Self.corpus(target) {
      // At most 64 places in each.
      for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 64)) {
        bytes[..<place].withUnsafeBytes { target.run($0) }
        var changed = bytes
        changed[place] ^= UInt8(truncatingIfNeeded: 1 << (place % 8))
        changed.withUnsafeBytes { target.run($0) }
      }
    }
  }
}
