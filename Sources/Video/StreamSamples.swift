/// How the samples of a stream's frames and floats become each other: what decoding and encoding
/// share.
struct StreamSamples {
  /// What samples are read from and written to: the stream, or what libswscale makes of it.
  let format: StreamFormat
  /// Nil where the stream's own samples can be used.
  let conversion: SwscaleConversion?
  /// Of gray, or Y Cb Cr, or R G B.
  let rows: [SampleRows]
  let arithmetic: ColorArithmetic

  /// - Throws: ``VideoError`` of kind `fault` where libswscale is needed and fails.
  init(_ stream: StreamFormat) throws(VideoError) {
    conversion = try SwscaleConversion(stream)
    let format = conversion?.inner ?? stream
    self.format = format
    let layout = format.layout
    rows = format.pixelFormat.components.prefix(format.pixelFormat.family == .gray ? 1 : 3).map {
      let codes = ColorArithmetic.codes(format, component: $0)
      return SampleRows(layout, component: $0.index, zero: codes.zero, scale: codes.scale)
    }
    arithmetic = ColorArithmetic(format.effectiveMatrix)
  }

  /// Bytes that a conversion holds, and so many floats beside it.
  func byteCount(floats: Int) -> Int {
    floats * MemoryLayout<Float>.size + (conversion?.scratch.layout.byteCount ?? 0)
  }
}
