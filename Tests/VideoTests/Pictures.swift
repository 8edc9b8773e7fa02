import CAVUtil
import Foundation

@testable import Video

/// A smooth picture with texture, much like a photograph without noise: [height, width, 3],
/// 8...247.
func scenery(width: Int, height: Int) -> [Float] {
  var rgb = [Float](repeating: 0, count: 3 * width * height)
  for y in 0..<height {
    for x in 0..<width {
      let (u, v) = (Float(x) / 96, Float(y) / 96)
      let texture = 14 * sinf(19 * u + 7 * v) * cosf(11 * v)
      let base = 3 * (y * width + x)
      rgb[base] = 128 + 70 * sinf(5 * u + 1) * cosf(2 * v) + texture
      rgb[base + 1] = 128 + 60 * cosf(3 * u - 2 * v) + texture
      rgb[base + 2] = 120 + 75 * sinf(4 * v + u) + texture
    }
  }
  return rgb
}

/// Peak signal to noise ratio in dB, for values up to `peak`.
func psnr(_ one: some Sequence<Float>, _ other: some Sequence<Float>, peak: Float = 255) -> Double {
  var sum = 0.0
  var count = 0
  for (a, b) in zip(one, other) {
    sum += Double(a - b) * Double(a - b)
    count += 1
  }
  return sum == 0 ? .infinity : 10 * log10(Double(peak) * Double(peak) * Double(count) / sum)
}

/// The codes of a component, as floats.
func codes(_ frame: Frame, _ component: Int) -> [Float] {
  let rows = SampleRows(frame.layout, component: component, zero: 0, scale: 1)
  var values = [Float](repeating: 0, count: rows.width * rows.height)
  frame.withBytes { bytes in
    values.withUnsafeMutableBufferPointer { values in
      for y in 0..<rows.height {
        rows.read(bytes.baseAddress!, line: y, into: values.baseAddress! + y * rows.width)
      }
    }
  }
  return values
}

func stream(
  _ pixelFormat: String, _ width: Int, _ height: Int, siting: ChromaSiting = .left,
  matrix: ColorMatrix? = nil, range: ColorRange? = nil
) throws -> StreamFormat {
  StreamFormat(
    container: .raw, size: try PictureSize(width: width, height: height),
    pixelFormat: try PixelFormat(named: pixelFormat), chromaSiting: siting, matrix: matrix,
    range: range)
}

/// Compared without showing both where they differ: they are long.
func same(_ one: Frame, _ other: Frame) -> Bool {
  one.withBytes { one in other.withBytes { other in one.elementsEqual(other) } }
}

func frame(_ format: StreamFormat, _ bytes: [UInt8]) -> Frame {
  let frame = try! FramePool(format.layout).frame(number: 0)
  frame.withMutableBytes { $0.copyBytes(from: bytes) }
  return frame
}

/// The picture as a frame of the stream.
func encoded(_ rgb: [Float], _ format: StreamFormat) -> Frame {
  try! FrameEncoder(format, from: format).encode(
    rgb, from: frame(format, [UInt8](repeating: 0, count: format.layout.byteCount)))
}

func decoded(_ frame: Frame, _ format: StreamFormat) -> [Float] {
  var rgb: [Float] = []
  try! FrameDecoder(format).decode(frame, into: &rgb)
  return rgb
}

extension PixelFormat {
  /// Every one of libavutil's that can be used.
  static var all: [PixelFormat] {
    sequence(state: UnsafePointer<AVPixFmtDescriptor>?.none) { described in
      described = av_pix_fmt_desc_next(described)
      return described
    }.compactMap { try? PixelFormat(named: String(cString: $0.pointee.name)) }
  }
}
