import Restoration
import Synchronization

/// What has become of the stream's frames so far. The three threads of the ``FramePath`` write it,
/// anyone may read it.
final class StreamStatistics: Sendable {
  private let state = Mutex(StreamCounts())

  /// All counts, of one moment.
  var counts: StreamCounts { state.withLock { $0 } }

  func update<R: Sendable>(_ body: (inout StreamCounts) -> R) -> R {
    state.withLock { body(&$0) }
  }
}

struct StreamCounts: Sendable {
  var framesRead = 0
  var framesWritten = 0
  /// Frames that were late and left out.
  var framesSkipped = 0
  /// Frames that were late and go out as they came.
  var framesPassedThrough = 0
  /// Those of them that wait for the frames before them.
  var framesHeldLate = 0
  /// From a frame's last byte read to its first byte written.
  var latency = DurationHistogram()
  /// What the restorer has done.
  var restoration = RestorationStatistics()
}
