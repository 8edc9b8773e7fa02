import Testing

@testable import Restoration

@Suite struct CanvasTests {
  @Test("A frame is padded by its edge and cropped to itself", arguments: [1, 4, 16, 64])
  func paddingAndCropping(multiple: Int) {
    for (height, width) in [(1, 1), (5, 7), (16, 16), (17, 33)] {
      let canvas = Canvas(height: height, width: width, multiple: multiple)
      #expect(canvas.paddedHeight % multiple == 0 && canvas.paddedHeight < height + multiple)
      #expect(canvas.paddedWidth % multiple == 0 && canvas.paddedWidth < width + multiple)
      let frame = (0..<canvas.frameCount).map { Float($0 * 37 % 256) }
      var picture = [Float](repeating: .nan, count: canvas.pictureCount)
      canvas.pad(frame, into: &picture)
      for index in picture.indices {
        let y = min(index / 3 / canvas.paddedWidth, height - 1)
        let x = min(index / 3 % canvas.paddedWidth, width - 1)
        #expect(picture[index] == frame[(y * width + x) * 3 + index % 3] / 127.5 - 1)
      }
      var back = [Float](repeating: .nan, count: canvas.frameCount)
      canvas.crop(picture, into: &back)
      #expect(zip(back, frame).allSatisfy { abs($0 - $1) < 1e-4 })
    }
  }
}
