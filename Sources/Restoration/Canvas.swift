/// A frame's place in the picture that the networks see: at the top left, its last row and column repeated to the right
/// and below, so that the networks can halve the size as often as they have to.
struct Canvas: Sendable, Equatable {
  /// Of the frame.
  let height, width: Int
  /// Of the picture: the next multiples.
  let paddedHeight, paddedWidth: Int

  /// - Parameter multiple: of pixels, by which the networks can divide height and width.
  init(height: Int, width: Int, multiple: Int) {
    self.height = height
    self.width = width
    paddedHeight = (height + multiple - 1) / multiple * multiple
    paddedWidth = (width + multiple - 1) / multiple * multiple
  }

  /// Elements of a frame, [height, width, 3].
  var frameCount: Int { height * width * 3 }
  /// Elements of a picture, [paddedHeight, paddedWidth, 3].
  var pictureCount: Int { paddedHeight * paddedWidth * 3 }

  /// Places a frame of values 0...255 in a picture in [-1, 1].
  func pad(_ frame: [Float], into picture: inout [Float]) {
    precondition(frame.count == frameCount && picture.count == pictureCount)
    frame.withUnsafeBufferPointer { frame in
      picture.withUnsafeMutableBufferPointer { picture in
        for y in 0..<paddedHeight {
          let from = min(y, height - 1) * width * 3
          let to = y * paddedWidth * 3
          for x in 0..<width * 3 { picture[to + x] = frame[from + x] / 127.5 - 1 }
          for x in width * 3..<paddedWidth * 3 {
            picture[to + x] = picture[to + (width - 1) * 3 + x % 3]
          }
        }
      }
    }
  }

  /// Takes the frame out of a picture in [-1, 1], as values about 0...255. They are neither rounded nor clamped.
  func crop(_ picture: [Float], into frame: inout [Float]) {
    precondition(frame.count == frameCount && picture.count == pictureCount)
    picture.withUnsafeBufferPointer { picture in
      frame.withUnsafeMutableBufferPointer { frame in
        for y in 0..<height {
          let from = y * paddedWidth * 3
          let to = y * width * 3
          for x in 0..<width * 3 { frame[to + x] = (picture[from + x] + 1) * 127.5 }
        }
      }
    }
  }
}
