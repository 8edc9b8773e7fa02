/// Turns frames of a stream into RGB pictures. One thread at a time uses it.
///
/// Matrix, range and siting are the stream's. Buffers are made once.
public final class FrameDecoder: @unchecked Sendable {
  // Sendable: one thread at a time uses it.
  /// The pictures' size.
  public let size: PictureSize
  private let format: StreamFormat
  private let arithmetic: ColorArithmetic
  private let rows: [SampleRows]
  private let across: ResamplingFilter?
  private let down: ResamplingFilter?
  /// [2][colour lines, width]: colour differences, at the luma samples' places along the line.
  private var differences: [[Float]] = []
  /// [3][width]: luma and the differences.
  private var lines: [Float]
  private let conversion: SwscaleConversion?

  /// - Throws: ``VideoError`` of kind `fault` where libswscale is needed and fails.
  public init(_ stream: StreamFormat) throws(VideoError) {
    let conversion = try SwscaleConversion(stream)
    let format = conversion?.inner ?? stream
    self.conversion = conversion
    self.format = format
    size = format.size
    arithmetic = ColorArithmetic(format.effectiveMatrix)
    let layout = format.layout
    rows = format.pixelFormat.components.prefix(format.pixelFormat.family == .gray ? 1 : 3).map {
      let codes = ColorArithmetic.codes(format, component: $0)
      return SampleRows(layout, component: $0.index, zero: codes.zero, scale: codes.scale)
    }
    lines = [Float](repeating: 0, count: 3 * size.width)
    guard format.pixelFormat.family == .yuv else {
      across = nil
      down = nil
      return
    }
    across = ChromaResampling.up(
      to: size.width, log2: format.pixelFormat.log2ChromaWidth,
      cosited: format.chromaSiting.isHorizontallyCosited)
    down = ChromaResampling.up(
      to: size.height, log2: format.pixelFormat.log2ChromaHeight,
      cosited: format.chromaSiting.isVerticallyCosited)
    differences = [[Float]](
      repeating: [Float](repeating: 0, count: rows[1].height * size.width), count: 2)
  }

  /// Bytes of the buffers that are made once.
  public var bufferByteCount: Int {
    let values = lines.count + differences.reduce(0) { $0 + $1.count }
    return values * MemoryLayout<Float>.size + (conversion?.scratch.layout.byteCount ?? 0)
  }

  /// Decodes a frame.
  ///
  /// 8-bit RGB is given exactly as it is; deeper samples and colour differences give fractions.
  /// Colours outside the RGB cube are clamped to it. Alpha is left out: the encoder takes it from
  /// the frame.
  /// - Parameters:
  ///   - frame: of the stream's layout.
  ///   - rgb: [height, width, 3], 0...255; made as large as that if it is not.
  public func decode(_ frame: Frame, into rgb: inout [Float]) {
    if rgb.count != 3 * size.pixelCount { rgb = [Float](repeating: 0, count: 3 * size.pixelCount) }
    rgb.withUnsafeMutableBufferPointer { rgb in
      let rgb = rgb.baseAddress!
      frame.withBytes { bytes in
        if let conversion {
          conversion.toInner(bytes.baseAddress!).withBytes { decode($0.baseAddress!, into: rgb) }
        } else {
          decode(bytes.baseAddress!, into: rgb)
        }
      }
    }
  }

  private func decode(_ frame: UnsafeRawPointer, into rgb: UnsafeMutablePointer<Float>) {
    switch format.pixelFormat.family {
    case .rgb, .xyz:
      for y in 0..<size.height {
        for (channel, row) in rows.enumerated() {
          row.read(frame, line: y, into: rgb + 3 * y * size.width + channel, stride: 3)
        }
        // Integers cannot be outside.
        guard rows[0].component.depth > 16 else { continue }
        for x in 3 * y * size.width..<3 * (y + 1) * size.width { rgb[x] = clamped(rgb[x]) }
      }
    case .gray:
      for y in 0..<size.height {
        let output = rgb + 3 * y * size.width
        rows[0].read(frame, line: y, into: output, stride: 3)
        for x in 0..<size.width {
          let value = clamped(output[3 * x])
          (output[3 * x], output[3 * x + 1], output[3 * x + 2]) = (value, value, value)
        }
      }
    case .yuv:
      lines.withUnsafeMutableBufferPointer { decodeDifferences(frame, line: $0.baseAddress!) }
      for y in 0..<size.height { decodeLine(frame, y, into: rgb + 3 * y * size.width) }
    }
  }

  /// Brings the colour differences to the luma samples' places along the lines.
  private func decodeDifferences(_ frame: UnsafeRawPointer, line: UnsafeMutablePointer<Float>) {
    for channel in 0..<2 {
      let row = rows[1 + channel]
      differences[channel].withUnsafeMutableBufferPointer { plane in
        for y in 0..<row.height {
          row.read(frame, line: y, into: line)
          across!.resampleLine(line, into: plane.baseAddress! + y * size.width)
        }
      }
    }
  }

  private func decodeLine(
    _ frame: UnsafeRawPointer, _ y: Int, into rgb: UnsafeMutablePointer<Float>
  ) {
    let width = size.width
    let arithmetic = arithmetic
    lines.withUnsafeMutableBufferPointer { lines in
      let luma = lines.baseAddress!
      let (cb, cr) = (luma + width, luma + 2 * width)
      rows[0].read(frame, line: y, into: luma)
      down!.combineLines(differences[0], lineCount: width, at: y, into: cb)
      down!.combineLines(differences[1], lineCount: width, at: y, into: cr)
      for x in 0..<width {
        rgb[3 * x] = clamped(luma[x] + arithmetic.redFromCr * cr[x])
        rgb[3 * x + 1] = clamped(
          luma[x] - arithmetic.greenFromCb * cb[x] - arithmetic.greenFromCr * cr[x])
        rgb[3 * x + 2] = clamped(luma[x] + arithmetic.blueFromCb * cb[x])
      }
    }
  }
}

/// To 0...255; what is no number becomes 0.
@inline(__always)
func clamped(_ value: Float) -> Float { value > 0 ? (value < 255 ? value : 255) : 0 }
