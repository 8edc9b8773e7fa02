import CAVUtil
import CSWScale

/// How a frame's samples lie in bytes, under the name that ffmpeg gives it (`yuv420p10le`, `nv12`,
/// `rgb24`).
///
/// Whatever libavutil describes and libswscale converts is taken, and planar formats that only the
/// former knows (`nv16`). Formats that live on a device, index a palette or are a camera's mosaic
/// are refused.
public struct PixelFormat: Sendable, CustomStringConvertible {
  /// What the samples mean.
  enum Family: Sendable, Equatable {
    case gray, rgb, yuv
    /// CIE XYZ, which libswscale turns into RGB and back.
    case xyz
  }

  public let name: String
  let code: AVPixelFormat
  let family: Family
  /// Gray, or Y Cb Cr, or R G B; then alpha if there is any.
  let components: [SampleComponent]
  let hasAlpha: Bool
  /// Colour samples are shared by 2^this luma samples.
  let log2ChromaWidth: Int
  let log2ChromaHeight: Int
  /// What every four bytes of a frame are set to, the least first, before its samples are written;
  /// nil where they are all of it.
  let filler: UInt32?

  /// - Parameter name: as `ffmpeg -pix_fmts` lists it.
  /// - Throws: ``VideoError`` of kind `usage` for a name that libavutil does not know or a format
  ///   that cannot be used.
  public init(named name: String) throws(VideoError) {
    let code = av_get_pix_fmt(name)
    guard code != AV_PIX_FMT_NONE, let described = PixelFormatDescription.of(code) else {
      throw VideoError(
        .usage,
        "pixel format \"\(name)\": unknown; `ffmpeg -pix_fmts` lists the names, as in yuv420p or "
          + "rgb24"
      )
    }
    let descriptor = described.pointee
    let flags = Int32(truncatingIfNeeded: descriptor.flags)
    func has(_ flag: Int32) -> Bool { flags & flag != 0 }

    let tuple = descriptor.comp
    let all = [tuple.0, tuple.1, tuple.2, tuple.3].prefix(Int(descriptor.nb_components))
    let refusal: String? =
      if has(AV_PIX_FMT_FLAG_HWACCEL) {
        "its pictures live on a device; download them first, as in -vf hwdownload,format=nv12"
      } else if has(AV_PIX_FMT_FLAG_PAL) {
        "it indexes a palette; convert it first, as in -pix_fmt rgb24"
      } else if has(AV_PIX_FMT_FLAG_BAYER) {
        "it is a camera's mosaic; convert it first, as in -pix_fmt rgb24"
      } else if has(AV_PIX_FMT_FLAG_FLOAT), !SampleComponent.areSingles(all) {
        "its samples are not planes of 32-bit floating point; convert it first, as in -pix_fmt gbrpf32le"
      } else if !Self.isConvertible(code) && !has(AV_PIX_FMT_FLAG_PLANAR) {
        "it cannot be both read and written; convert it first, as in -pix_fmt \(Self.planar(like: descriptor))"
      } else {
        nil
      }
    if let refusal { throw VideoError(.usage, "pixel format \"\(name)\": \(refusal)") }

    self.code = code
    self.name = String(cString: descriptor.name)
    hasAlpha = has(AV_PIX_FMT_FLAG_ALPHA)
    log2ChromaWidth = Int(descriptor.log2_chroma_w)
    log2ChromaHeight = Int(descriptor.log2_chroma_h)
    if self.name.hasPrefix("xyz") {
      family = .xyz
      components = []
      filler = nil
      return
    }
    family = has(AV_PIX_FMT_FLAG_RGB) ? .rgb : all.count < 3 ? .gray : .yuv
    let components = all.enumerated().map { index, component in
      SampleComponent(
        index: index, component, sharing: all,
        bigEndian: has(AV_PIX_FMT_FLAG_BE), bitstream: has(AV_PIX_FMT_FLAG_BITSTREAM),
        float: has(AV_PIX_FMT_FLAG_FLOAT),
        // libavutil describes both kinds of black and white alike: in this one a set bit is black.
        inverted: code == AV_PIX_FMT_MONOWHITE)
    }
    self.components = components
    // A reader that takes rgb0 for rgba, or x2rgb10 for what has alpha there, finds an opaque
    // picture.
    let hasRoomForAlpha =
      has(AV_PIX_FMT_FLAG_RGB) && !has(AV_PIX_FMT_FLAG_PLANAR) && !hasAlpha
      && components[0].step == 4
    filler =
      if components.contains(where: { $0.access == .described }) {
        // libavutil's writer of such lines only sets bits.
        hasRoomForAlpha && !has(AV_PIX_FMT_FLAG_BE) ? Self.unusedBits(of: all) : 0
      } else if hasRoomForAlpha {
        .max
      } else {
        nil
      }
  }

  /// Of a pixel in four bytes, the least first: 1 where no component has a bit.
  private static func unusedBits(of components: ArraySlice<AVComponentDescriptor>) -> UInt32 {
    ~components.reduce(0) {
      $0 | ((1 << UInt32($1.depth)) - 1) << UInt32(8 * $1.offset + $1.shift)
    }
  }

  /// The name of a format that loses nothing of one of these, which can be used.
  private static func planar(like format: AVPixFmtDescriptor) -> String {
    let flags = Int32(truncatingIfNeeded: format.flags)
    let depth = format.comp.0.depth
    if flags & AV_PIX_FMT_FLAG_RGB != 0 { return depth > 8 ? "rgb48le" : "rgb24" }
    let shared =
      switch (format.log2_chroma_w, format.log2_chroma_h) {
      case (2, 0): "411"
      case (1, 1): "420"
      case (1, 0): "422"
      default: "444"
      }
    let bits = depth > 12 ? "16le" : depth > 10 ? "12le" : depth > 8 ? "10le" : ""
    return "yuv\(flags & AV_PIX_FMT_FLAG_ALPHA != 0 ? "a" : "")\(shared)p\(bits)"
  }

  private static func isConvertible(_ code: AVPixelFormat) -> Bool {
    sws_isSupportedInput(code) > 0 && sws_isSupportedOutput(code) > 0
  }

  /// Whether the samples are RGB, to which neither matrix nor range applies.
  public var isRGB: Bool { family == .rgb || family == .xyz }

  /// The colour samples' count for `count` luma samples, where 2^log2 of them share one: rounded
  /// up.
  static func shared(_ count: Int, log2: Int) -> Int { (count + (1 << log2) - 1) >> log2 }

  /// The range that the format means where a stream does not say: gray and the old `yuvj` names are
  /// full, as ffmpeg takes them, RGB is always full, all else is limited.
  var rangeUnlessStated: ColorRange {
    isRGB || family == .gray || name.hasPrefix("yuvj") ? .full : .limited
  }

  public var description: String { name }
}

extension PixelFormat: Hashable {
  public static func == (one: PixelFormat, other: PixelFormat) -> Bool { one.code == other.code }
  public func hash(into hasher: inout Hasher) { hasher.combine(code.rawValue) }
}
