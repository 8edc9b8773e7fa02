import Restoration

/// What becomes of a frame that comes while the computing is behind: no place is free in the line
/// before it.
///
/// For sources that do not wait, as cameras; a file is always faster than the computing and should
/// be left to wait.
enum WhenLate: String, CaseIterable, Sendable {
  /// The source waits until there is room.
  case wait
  /// The frame is left out.
  case skip
  /// The frame goes out as it came, enlarged where the task enlarges, in its place among the
  /// others.
  case passthrough

  /// Frames that may wait for the computing. Where one that finds no room is late, all that come
  /// while a chunk is sampled need room, or frames would be late where the computing keeps up; and
  /// two more, for a machine that is elsewhere for a moment.
  func places(_ options: RestorationOptions) -> Int {
    places(chunk: options.framesTogether)
  }

  /// Until the model is known, whose presets may say the chunk.
  var fewestPlaces: Int { places(chunk: 1) }

  private func places(chunk: Int) -> Int { self == .wait ? 2 : chunk + 2 }

  /// - Throws: ``Failure`` of status `usage` where late frames do not wait and all of them would be
  ///   late.
  func check(_ options: RestorationOptions) throws(Failure) {
    guard self == .wait || options.framesTogether > 0 else {
      throw Failure(
        .usage,
        "--when-late \(rawValue): expected a --chunk of 1 or more, found 0, with which nothing leaves before the clip's "
          + "end; give a chunk, or --when-late wait")
    }
  }
}
