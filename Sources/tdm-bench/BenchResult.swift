import Foundation

/// What was measured, and on what.
struct BenchResult {
  var model: String
  var width, height: Int
  var precision: String
  var repeats: Int
  var threads = 0
  var instructionSet: String
  /// Medians.
  var milliseconds: [BenchPart: Double] = [:]

  /// The most memory that the program has held so far, in MiB: parts run one after the other.
  private var peakMemory: Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") } ?? ""
    return (line.split(separator: " ").compactMap { Int($0) }.first ?? 0) / 1024
  }

  func json() throws -> String {
    var object: [String: Any] = [
      "model": model, "size": "\(width)x\(height)", "precision": precision, "repeat": repeats,
      "threads": threads, "instruction_set": instructionSet, "peak_memory_mib": peakMemory,
    ]
    for (part, time) in milliseconds { object[part.rawValue] = (time * 1000).rounded() / 1000 }
    let data = try JSONSerialization.data(
      withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data, as: UTF8.self)
  }

  func text() -> String {
    var lines = [
      "\(model), \(width)x\(height), \(precision), \(threads) threads, \(instructionSet); "
        + "medians of \(repeats)"
    ]
    for part in BenchPart.allCases {
      guard let time = milliseconds[part] else { continue }
      let name = part.rawValue.padding(toLength: 12, withPad: " ", startingAt: 0)
      lines.append("\(name)\(String(format: "%10.1f", time)) ms")
    }
    lines.append("peak memory \(peakMemory) MiB")
    return lines.joined(separator: "\n")
  }
}
