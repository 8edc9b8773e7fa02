/// Turns RGB pictures into frames of a stream. One thread at a time uses it.
///
/// Matrix, range and siting are the stream's. Buffers are made once, and frames' memory is used
/// again.
public final class FrameEncoder: @unchecked Sendable {
  // Sendable: one thread at a time uses it.
  /// The pictures' size.
  public let size: PictureSize
  private let samples: StreamSamples
  private let pool: FramePool
  /// Nil where the format has no colour differences.
  private let chroma: ChromaResampling?
  private let alpha: AlphaTransfer?
  /// [2, height, colour samples a line]
  private var differences: [Float]
  /// For luma and the differences.
  private var room: LineRoom

  /// - Parameters:
  ///   - stream: the frames that are made.
  ///   - source: the frames that the pictures come from, which give the alpha; its pixel format is
  ///     the same.
  ///   - threads: that a frame is encoded by.
  /// - Throws: ``VideoError`` of kind `fault` where libswscale is needed and fails.
  public init(
    _ stream: StreamFormat, from source: StreamFormat, threads: Int = 1
  ) throws(VideoError) {
    precondition(
      stream.pixelFormat == source.pixelFormat, "the output has the input's pixel format")
    samples = try StreamSamples(stream)
    size = stream.size
    pool = FramePool(stream.layout)
    chroma = ChromaResampling.down(samples.format)
    alpha =
      stream.pixelFormat.hasAlpha
      ? AlphaTransfer(from: source.layout, to: stream.layout, threads: threads) : nil
    room = LineRoom(width: size.width, threads: threads)
    let differenceCount = chroma == nil ? 0 : 2 * samples.rows[1].width * size.height
    differences = [Float](repeating: 0, count: differenceCount)
  }

  /// Bytes of the buffers that are made once.
  public var bufferByteCount: Int {
    samples.byteCount(
      floats: room.valueCount + differences.count + (alpha?.valueCount ?? 0))
  }

  /// Encodes a picture.
  ///
  /// 8-bit RGB is floor(value + 0.5), clamped to 0...255; all else is rounded in the same way to
  /// its own codes.
  /// - Parameters:
  ///   - rgb: [height, width, 3], 0...255, and beyond where the format's codes reach there.
  ///   - source: the frame that the picture was made of, which gives number, parameters and alpha.
  ///     Alpha is copied; where the picture is larger than the frame, it is enlarged bicubically.
  /// - Throws: ``VideoError`` of kind `fault` where there is no memory for the frame.
  public func encode(_ rgb: [Float], from source: Frame) throws(VideoError) -> Frame {
    precondition(rgb.count == 3 * size.pixelCount, "\(rgb.count) values for a picture of \(size)")
    let frame = try pool.frame(
      number: source.number, parameters: source.parameters, beginsSequence: source.beginsSequence)
    rgb.withUnsafeBufferPointer { rgb in
      let rgb = rgb.baseAddress!
      frame.withMutableBytes { bytes in
        if let filler = samples.format.pixelFormat.filler {
          bytes.withMemoryRebound(to: UInt32.self) { $0.update(repeating: filler.littleEndian) }
          for place in bytes.count / 4 * 4..<bytes.count {
            bytes[place] = UInt8(truncatingIfNeeded: filler)
          }
        }
        if let conversion = samples.conversion {
          conversion.scratch.withMutableBytes { encode(rgb, into: $0.baseAddress!) }
          conversion.fromInner(into: bytes.baseAddress!)
        } else {
          encode(rgb, into: bytes.baseAddress!)
        }
        source.withBytes { alpha?.transfer(from: $0.baseAddress!, to: bytes.baseAddress!) }
      }
    }
    return frame
  }

  private func encode(_ rgb: UnsafePointer<Float>, into frame: UnsafeMutableRawPointer) {
    switch samples.format.pixelFormat.family {
    case .rgb, .xyz:
      room.forLines(size.height) { y, _ in
        for (channel, row) in samples.rows.enumerated() {
          row.write(rgb + 3 * y * size.width + channel, stride: 3, to: frame, line: y)
        }
      }
    case .gray, .yuv:
      encodeLuma(rgb, into: frame)
      if let chroma { encodeDifferences(chroma.down, into: frame) }
    }
  }

  /// Writes the luma, and keeps the colour differences, already as few a line as the format has.
  private func encodeLuma(_ rgb: UnsafePointer<Float>, into frame: UnsafeMutableRawPointer) {
    let across = chroma?.across
    differences.withUnsafeMutableBufferPointer { differences in
      let differences = differences.baseAddress
      room.forLines(size.height) { y, luma in
        encodeLine(rgb + 3 * y * size.width, y, by: luma, into: frame)
        guard let across, let differences else { return }
        for channel in 0..<2 {
          across.resampleLine(
            luma + (1 + channel) * size.width,
            into: differences + (channel * size.height + y) * across.outputCount)
        }
      }
    }
  }

  /// Writes a line of luma; leaves it and the colour differences in three lines, `luma`.
  private func encodeLine(
    _ rgb: UnsafePointer<Float>, _ y: Int, by luma: UnsafeMutablePointer<Float>,
    into frame: UnsafeMutableRawPointer
  ) {
    let width = size.width
    let arithmetic = samples.arithmetic
    let (cb, cr) = (luma + width, luma + 2 * width)
    for x in 0..<width {
      let (r, g, b) = (rgb[3 * x], rgb[3 * x + 1], rgb[3 * x + 2])
      let y = arithmetic.red * r + arithmetic.green * g + arithmetic.blue * b
      luma[x] = y
      cb[x] = (b - y) / arithmetic.blueFromCb
      cr[x] = (r - y) / arithmetic.redFromCr
    }
    samples.rows[0].write(luma, to: frame, line: y)
  }

  private func encodeDifferences(_ down: ResamplingFilter, into frame: UnsafeMutableRawPointer) {
    differences.withUnsafeBufferPointer { differences in
      for channel in 0..<2 {
        let row = samples.rows[1 + channel]
        let plane = differences.baseAddress! + channel * size.height * row.width
        room.forLines(row.height) { y, line in
          down.combineLines(plane, lineCount: row.width, at: y, into: line)
          row.write(line, to: frame, line: y)
        }
      }
    }
  }
}
