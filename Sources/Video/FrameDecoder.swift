/// Turns frames of a stream into RGB pictures. One thread at a time uses it.
///
/// Matrix, range and siting are the stream's. Buffers are made once.
public final class FrameDecoder: @unchecked Sendable {
  // Sendable: one thread at a time uses it.
  /// The pictures' size.
  public let size: PictureSize
  private let samples: StreamSamples
  /// Nil where the format has no colour differences.
  private let chroma: ChromaResampling?
  /// [2][colour lines, width]: colour differences, at the luma samples' places along the line.
  private var differences: [[Float]]
  /// For luma and the differences.
  private var room: LineRoom

  /// - Parameter threads: that a frame is decoded by.
  /// - Throws: ``VideoError`` of kind `fault` where libswscale is needed and fails.
  public init(_ stream: StreamFormat, threads: Int = 1) throws(VideoError) {
    samples = try StreamSamples(stream)
    size = stream.size
    chroma = ChromaResampling.up(samples.format)
    room = LineRoom(width: size.width, threads: threads)
    let differenceCount = chroma == nil ? 0 : samples.rows[1].height * size.width
    differences = [[Float]](repeating: [Float](repeating: 0, count: differenceCount), count: 2)
  }

  /// Bytes of the buffers that are made once.
  public var bufferByteCount: Int {
    samples.byteCount(floats: room.valueCount + differences.reduce(0) { $0 + $1.count })
  }

  /// Decodes a frame.
  ///
  /// 8-bit RGB is given exactly as it is; deeper samples and colour differences give fractions.
  /// Alpha is left out: the encoder takes it from the frame.
  /// - Parameters:
  ///   - frame: of the stream's layout.
  ///   - rgb: [height, width, 3], 0...255; made as large as that if it is not. Of YUV and gray in
  ///     whole numbers also what lies beyond: see ``RangeExcess``.
  public func decode(_ frame: Frame, into rgb: inout [Float]) {
    if rgb.count != 3 * size.pixelCount { rgb = [Float](repeating: 0, count: 3 * size.pixelCount) }
    rgb.withUnsafeMutableBufferPointer { rgb in
      let rgb = rgb.baseAddress!
      frame.withBytes { bytes in
        if let conversion = samples.conversion {
          conversion.toInner(bytes.baseAddress!).withBytes { decode($0.baseAddress!, into: rgb) }
        } else {
          decode(bytes.baseAddress!, into: rgb)
        }
      }
    }
  }

  private func decode(_ frame: UnsafeRawPointer, into rgb: UnsafeMutablePointer<Float>) {
    let rows = samples.rows
    switch samples.format.pixelFormat.family {
    case .rgb, .xyz:
      room.forLines(size.height) { y, _ in
        for (channel, row) in rows.enumerated() {
          row.read(frame, line: y, into: rgb + 3 * y * size.width + channel, stride: 3)
        }
        // Integers cannot be outside.
        guard rows[0].component.depth > 16 else { return }
        for x in 3 * y * size.width..<3 * (y + 1) * size.width { rgb[x] = clamped(rgb[x]) }
      }
    case .gray:
      let isFloat = rows[0].component.depth > 16
      room.forLines(size.height) { y, _ in
        let output = rgb + 3 * y * size.width
        rows[0].read(frame, line: y, into: output, stride: 3)
        for x in 0..<size.width {
          let value = isFloat ? clamped(output[3 * x]) : output[3 * x]
          (output[3 * x], output[3 * x + 1], output[3 * x + 2]) = (value, value, value)
        }
      }
    case .yuv:
      guard let chroma else { return }
      decodeDifferences(frame, chroma.across)
      room.forLines(size.height) { y, line in
        decodeLine(frame, y, chroma.down, by: line, into: rgb + 3 * y * size.width)
      }
    }
  }

  /// Brings the colour differences to the luma samples' places along the lines.
  private func decodeDifferences(_ frame: UnsafeRawPointer, _ across: ResamplingFilter) {
    for channel in 0..<2 {
      let row = samples.rows[1 + channel]
      differences[channel].withUnsafeMutableBufferPointer { plane in
        let plane = plane.baseAddress!
        room.forLines(row.height) { y, line in
          row.read(frame, line: y, into: line)
          across.resampleLine(line, into: plane + y * size.width)
        }
      }
    }
  }

  private func decodeLine(
    _ frame: UnsafeRawPointer, _ y: Int, _ down: ResamplingFilter,
    by luma: UnsafeMutablePointer<Float>, into rgb: UnsafeMutablePointer<Float>
  ) {
    let width = size.width
    let arithmetic = samples.arithmetic
    let (cb, cr) = (luma + width, luma + 2 * width)
    samples.rows[0].read(frame, line: y, into: luma)
    down.combineLines(differences[0], lineCount: width, at: y, into: cb)
    down.combineLines(differences[1], lineCount: width, at: y, into: cr)
    for x in 0..<width {
      rgb[3 * x] = luma[x] + arithmetic.redFromCr * cr[x]
      rgb[3 * x + 1] =
        luma[x] - arithmetic.greenFromCb * cb[x] - arithmetic.greenFromCr * cr[x]
      rgb[3 * x + 2] = luma[x] + arithmetic.blueFromCb * cb[x]
    }
  }
}
