import ControlProtocol
import Video

/// Where frames enter the path, each as soon as it has been read: the place at which a late frame
/// shows itself.
///
/// A frame is late where it finds the line before the computing full. One thread, the reader's.
final class Intake {
  /// Frames that are passed through wait for those before them, in memory: so many bytes of them,
  /// and never fewer than so many. Where they are more, the source waits after all.
  static let heldByteLimit = 256 << 20
  static let leastHeldLimit = 8
  /// What a frame takes at least, its places in the lines included.
  private static let leastFrameByteCount = 1024

  private let whenLate: WhenLate
  private let line: BoundedQueue<Arrival>
  private let statistics: StreamStatistics
  private let notices: LateNotices
  /// Whether a clip's first frame was left out.
  private var owesClipStart = false

  /// - Parameters:
  ///   - line: to the computing.
  ///   - notices: is told of late frames.
  init(
    _ line: BoundedQueue<Arrival>, whenLate: WhenLate, statistics: StreamStatistics,
    notices: LateNotices
  ) {
    self.line = line
    self.whenLate = whenLate
    self.statistics = statistics
    self.notices = notices
  }

  /// How many frames of so many bytes are held at most to be passed through.
  static func heldLimit(frameByteCount: Int) -> Int {
    max(leastHeldLimit, heldByteLimit / max(frameByteCount, leastFrameByteCount))
  }

  /// Takes a frame whose last byte has just been read.
  func take(_ frame: Frame) {
    var arrival = Arrival(
      frame: frame, instant: .now, beginsClip: frame.beginsSequence || owesClipStart)
    statistics.update { $0.framesRead += 1 }
    owesClipStart = false
    if line.offer(arrival) { return }
    switch whenLate {
    case .skip:
      owesClipStart = arrival.beginsClip
      statistics.update { $0.framesSkipped += 1 }
      notices.add(frame)
    case .passthrough where holdsAnother(frame):
      arrival.isLate = true
      notices.add(frame)
      line.sendBeyondCapacity(arrival)
    case .wait, .passthrough:
      line.send(arrival)
    }
  }

  /// Tells of the late frames that were not yet told of: no more will come.
  func reportRest() { notices.reportRest() }

  /// Counts a frame among those that are held to be passed through, if there is room.
  private func holdsAnother(_ frame: Frame) -> Bool {
    let limit = Self.heldLimit(frameByteCount: frame.layout.byteCount)
    return statistics.update {
      guard $0.framesHeldLate < limit else { return false }
      $0.framesHeldLate += 1
      $0.framesPassedThrough += 1
      return true
    }
  }
}
