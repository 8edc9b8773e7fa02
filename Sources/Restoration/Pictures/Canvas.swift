import TensorCore

/// A frame's place in the picture that the networks see: at the top left, its last row and column
/// repeated to the right and below, so that the networks can halve the size as often as they have
/// to.
struct Canvas: Sendable, Equatable {
  /// Of the frame.
  let height, width: Int
  /// Of pixels, by which the networks can divide height and width.
  let multiple: Int
  /// Of the picture: the next multiples.
  let paddedHeight, paddedWidth: Int

  init(height: Int, width: Int, multiple: Int) {
    self.height = height
    self.width = width
    self.multiple = multiple
    paddedHeight = height.roundedUp(to: multiple)
    paddedWidth = width.roundedUp(to: multiple)
  }

  /// Elements of a frame, [height, width, 3].
  var frameCount: Int { height * width * 3 }
}
