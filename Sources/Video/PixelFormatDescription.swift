import CAVUtil

/// What libavutil says of pixel formats, but for one that it describes wrongly.
enum PixelFormatDescription {
  /// Nil for a format that there is none of. What it points to lives as long as the program.
  static func of(_ code: AVPixelFormat) -> UnsafePointer<AVPixFmtDescriptor>? {
    code == AV_PIX_FMT_RGB8 ? rgb8 : av_pix_fmt_desc_get(code)
  }

  /// libavutil gives rgb8 two bits of red and three of blue. What libswscale writes, and the
  /// format's own documentation says, is three of red above three of green above two of blue.
  private nonisolated(unsafe) static let rgb8: UnsafePointer<AVPixFmtDescriptor>? = {
    guard let wrong = av_pix_fmt_desc_get(AV_PIX_FMT_RGB8) else { return nil }
    let right = UnsafeMutablePointer<AVPixFmtDescriptor>.allocate(capacity: 1)
    right.initialize(to: wrong.pointee)
    right.pointee.comp.0.shift = 5
    right.pointee.comp.0.depth = 3
    right.pointee.comp.1.shift = 2
    right.pointee.comp.1.depth = 3
    right.pointee.comp.2.shift = 0
    right.pointee.comp.2.depth = 2
    return UnsafePointer(right)
  }()
}
