import CAVUtil

/// Where the planes of a picture of one size and pixel format lie: tightly packed, one after the
/// other, no line aligned, as `ffmpeg -f rawvideo` writes them. Subsampled planes round up.
public struct FrameLayout: Hashable, Sendable {
  /// One plane of a frame.
  public struct Plane: Hashable, Sendable {
    /// Bytes from the frame's first.
    public let offset: Int
    /// Bytes of a line.
    public let rowBytes: Int
    public let byteCount: Int
  }

  public let size: PictureSize
  public let pixelFormat: PixelFormat
  public let planes: [Plane]
  /// Bytes of a frame.
  public let byteCount: Int

  public init(size: PictureSize, pixelFormat: PixelFormat) {
    self.size = size
    self.pixelFormat = pixelFormat
    let code = pixelFormat.code
    var rowBytes = [Int32](repeating: 0, count: 4)
    var lengths = [Int](repeating: 0, count: 4)
    // The size is within the limits and the format is one of software: neither call can refuse.
    let laidOut = av_image_fill_linesizes(&rowBytes, code, Int32(size.width)) >= 0
    precondition(laidOut, "libavutil has no lines for \(pixelFormat) at \(size)")
    let strides = rowBytes.map(Int.init)
    let measured = av_image_fill_plane_sizes(&lengths, code, Int32(size.height), strides) >= 0
    precondition(measured, "libavutil has no planes for \(pixelFormat) at \(size)")
    var planes: [Plane] = []
    var offset = 0
    for (length, stride) in zip(lengths, strides) where length > 0 {
      planes.append(Plane(offset: offset, rowBytes: stride, byteCount: length))
      offset += length
    }
    self.planes = planes
    byteCount = offset
  }

  /// Samples a line and lines of a component (0 gray, Y or R; 1, 2 colour or G, B; the last alpha).
  func extent(of component: Int) -> (width: Int, height: Int) {
    let sharesColor = pixelFormat.family == .yuv && (component == 1 || component == 2)
    guard sharesColor else { return (size.width, size.height) }
    return (
      PixelFormat.shared(size.width, log2: pixelFormat.log2ChromaWidth),
      PixelFormat.shared(size.height, log2: pixelFormat.log2ChromaHeight)
    )
  }

  /// The planes' addresses and lines' lengths as libavutil and libswscale take them, four of each.
  func withPlanes(
    _ frame: UnsafeRawPointer,
    _ body: (UnsafeMutablePointer<UnsafePointer<UInt8>?>, UnsafePointer<Int32>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: 4) { addresses in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: 4) { lengths in
        for index in 0..<4 {
          let plane = index < planes.count ? planes[index] : nil
          addresses[index] = plane.map { (frame + $0.offset).assumingMemoryBound(to: UInt8.self) }
          lengths[index] = Int32(plane?.rowBytes ?? 0)
        }
        body(addresses.baseAddress!, lengths.baseAddress!)
      }
    }
  }
}
