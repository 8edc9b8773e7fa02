import CAVUtil
import CSWScale

/// libswscale between CIE XYZ, which has primaries and a transfer function of its own, and planar
/// 16-bit RGB.
final class SwscaleConversion {
  /// The stream as planar 16-bit RGB.
  let inner: StreamFormat
  /// A frame of it, which the next conversion overwrites.
  let scratch: Frame
  private let outer: FrameLayout
  private let decoding: OpaquePointer
  private let encoding: OpaquePointer

  /// Nil for all other formats, which need none of it.
  /// - Throws: ``VideoError`` of kind `fault` where there is no memory, or libswscale refuses.
  init?(_ stream: StreamFormat) throws(VideoError) {
    guard stream.pixelFormat.family == .xyz,
      let planarRGB = try? PixelFormat(named: "gbrp16le")
    else { return nil }
    var inner = stream
    inner.pixelFormat = planarRGB
    self.inner = inner
    outer = stream.layout
    scratch = try FramePool(inner.layout).frame(number: 0)
    func context(
      from source: PixelFormat, to target: PixelFormat
    ) throws(VideoError) -> OpaquePointer {
      let (width, height) = (Int32(stream.size.width), Int32(stream.size.height))
      let flags = SWS_POINT | SWS_ACCURATE_RND
      guard
        let context = sws_getContext(
          width, height, source.code, width, height, target.code, flags, nil, nil, nil)
      else {
        throw VideoError(
          .fault,
          "libswscale refuses to convert \(source) to \(target) at \(stream.size): expected a context, found none; "
            + "convert the stream first, as in ffmpeg -pix_fmt rgb48le")
      }
      return context
    }
    decoding = try context(from: stream.pixelFormat, to: planarRGB)
    do throws(VideoError) {
      encoding = try context(from: planarRGB, to: stream.pixelFormat)
    } catch {
      sws_freeContext(decoding)
      throw error
    }
  }

  deinit {
    sws_freeContext(decoding)
    sws_freeContext(encoding)
  }

  /// The scratch frame, with the picture of `frame` in it.
  func toInner(_ frame: UnsafeRawPointer) -> Frame {
    scratch.withMutableBytes { convert(decoding, outer, frame, to: inner.layout, $0.baseAddress!) }
    return scratch
  }

  /// Writes the picture in the scratch frame to `frame`.
  func fromInner(into frame: UnsafeMutableRawPointer) {
    scratch.withBytes { convert(encoding, inner.layout, $0.baseAddress!, to: outer, frame) }
  }

  private func convert(
    _ context: OpaquePointer, _ source: FrameLayout, _ input: UnsafeRawPointer,
    to target: FrameLayout, _ output: UnsafeMutableRawPointer
  ) {
    source.withPlanes(input) { inputPlanes, inputLengths in
      target.withPlanes(output) { outputPlanes, outputLengths in
        outputPlanes.withMemoryRebound(to: UnsafeMutablePointer<UInt8>?.self, capacity: 4) {
          _ = sws_scale(
            context, inputPlanes, inputLengths, 0, Int32(source.size.height), $0, outputLengths)
        }
      }
    }
  }
}
