import ControlProtocol
import Glibc
import Restoration
import StrictJSON

extension StatusReporter {
  /// What `stats` is answered.
  func tellStatistics(in reply: inout Reply) {
    let counts = statistics.counts
    reply.add(progress)
    reply.add("latency", counts.latency.json)
    let stages = counts.restoration
    reply.add(
      "stages",
      .object([
        "fuse": stages.fuse.json, "encode": stages.encode.json, "invert": stages.invert.json,
        "sample": stages.sample.json, "decode": stages.decode.json, "carry": stages.carry.json,
      ]))
    reply.add("peak_resident_bytes", .integer(Self.peakResidentBytes))
    reply.add("lost_events", .integer(lostEventCount))
  }

  /// The most memory that the process has held. A call that no sandbox forbids, where /proc would
  /// have to be opened.
  private static var peakResidentBytes: Int {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
  }
}

extension DurationHistogram {
  fileprivate var json: JSON {
    func seconds(_ share: Double) -> JSON {
      quantile(share).map { JSON.rounded($0 / .seconds(1), decimals: 6) } ?? .null
    }
    return .object([
      "count": .integer(count), "p50_seconds": seconds(0.5), "p95_seconds": seconds(0.95),
    ])
  }
}
