/// What becomes of a frame that comes while the computing is behind: no place is free in the line before it.
///
/// For sources that do not wait, as cameras; a file is always faster than the computing and should be left to wait.
enum WhenLate: String, CaseIterable, Sendable {
  /// The source waits until there is room.
  case wait
  /// The frame is left out.
  case skip
  /// The frame goes out as it came, enlarged where the task enlarges, in its place among the others.
  case passthrough
}
