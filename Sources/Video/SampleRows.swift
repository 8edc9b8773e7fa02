import CAVUtil

/// Reads and writes lines of one component of frames, as floats.
///
/// A value is `(code - zero) * scale`. What libavutil alone can take apart goes through `codes`.
struct SampleRows {
  let component: SampleComponent
  /// Samples a line and lines.
  let width: Int
  let height: Int
  private let layout: FrameLayout
  private let plane: FrameLayout.Plane
  private let zero: Float
  private let scale: Float

  /// - Parameters:
  ///   - zero: the code that means 0.
  ///   - scale: what one code more means.
  init(_ layout: FrameLayout, component index: Int, zero: Float, scale: Float) {
    self.layout = layout
    component = layout.pixelFormat.components[index]
    (width, height) = layout.extent(of: index)
    plane = layout.planes[component.plane]
    self.zero = zero
    self.scale = scale
  }

  /// Writes the values of line `y` of `frame` to `output`, `stride` floats apart.
  func read(
    _ frame: UnsafeRawPointer, line y: Int, into output: UnsafeMutablePointer<Float>,
    stride: Int = 1
  ) {
    let row = frame + plane.offset + y * plane.rowBytes + component.offset
    let (zero, scale) = (zero, scale)
    switch component.access {
    case .bytes:
      let bytes = row.assumingMemoryBound(to: UInt8.self)
      let step = component.step
      if step == 1, stride == 1 {
        for x in 0..<width { output[x] = (Float(bytes[x]) - zero) * scale }
      } else {
        for x in 0..<width { output[x * stride] = (Float(bytes[x * step]) - zero) * scale }
      }
    case .words(let shift, let bigEndian):
      let words = row.assumingMemoryBound(to: UInt16.self)
      let step = component.step / 2
      let (mask, shift) = (UInt16(component.largest), UInt16(shift))
      for x in 0..<width {
        let word = bigEndian ? words[x * step].byteSwapped : words[x * step]
        output[x * stride] = (Float((word >> shift) & mask) - zero) * scale
      }
    case .floats(let bigEndian):
      let bits = row.assumingMemoryBound(to: UInt32.self)
      for x in 0..<width {
        output[x * stride] =
          (Float(bitPattern: bigEndian ? bits[x].byteSwapped : bits[x]) - zero) * scale
      }
    case .described:
      withCodes { codes in
        layout.withPlanes(frame) { planes, rowBytes in
          av_read_image_line2(
            codes, planes, rowBytes, PixelFormatDescription.of(layout.pixelFormat.code), 0,
            Int32(y),
            Int32(component.index), Int32(width), 0, 2)
        }
        for x in 0..<width {
          let code = component.inverted ? UInt16(component.largest) - codes[x] : codes[x]
          output[x * stride] = (Float(code) - zero) * scale
        }
      }
    }
  }

  /// Copies all samples of a frame of the same layout, whatever they are: in floating point numbers
  /// below 0, above 1, or none.
  /// - Precondition: they are in floating point, which have planes of their own.
  func copy(_ frame: UnsafeRawPointer, to other: UnsafeMutableRawPointer) {
    for y in 0..<height {
      let start = plane.offset + y * plane.rowBytes + component.offset
      (other + start).copyMemory(from: frame + start, byteCount: 4 * width)
    }
  }

  /// Writes line `y` of `frame`: the codes next to the values in `input`, `stride` floats apart.
  /// Halves go up.
  func write(
    _ input: UnsafePointer<Float>, stride: Int = 1, to frame: UnsafeMutableRawPointer, line y: Int
  ) {
    let row = frame + plane.offset + y * plane.rowBytes + component.offset
    let largest = Float(component.largest)
    let (bias, inverse) = (zero + 0.5, 1 / scale)
    // Truncation is rounding down for what is not negative; what is no number becomes 0.
    func code(_ value: Float) -> Int32 {
      let code = value * inverse + bias
      return Int32(code > 0 ? (code < largest ? code : largest) : 0)
    }
    switch component.access {
    case .bytes:
      let bytes = row.assumingMemoryBound(to: UInt8.self)
      let step = component.step
      if step == 1, stride == 1 {
        for x in 0..<width { bytes[x] = UInt8(truncatingIfNeeded: code(input[x])) }
      } else {
        for x in 0..<width { bytes[x * step] = UInt8(truncatingIfNeeded: code(input[x * stride])) }
      }
    case .words(let shift, let bigEndian):
      let words = row.assumingMemoryBound(to: UInt16.self)
      let step = component.step / 2
      for x in 0..<width {
        let word = UInt16(truncatingIfNeeded: code(input[x * stride])) << UInt16(shift)
        words[x * step] = bigEndian ? word.byteSwapped : word
      }
    case .floats(let bigEndian):
      let bits = row.assumingMemoryBound(to: UInt32.self)
      for x in 0..<width {
        let value = input[x * stride] * inverse + zero
        let pattern = (value > 0 ? min(value, 1) : 0).bitPattern
        bits[x] = bigEndian ? pattern.byteSwapped : pattern
      }
    case .described:
      withCodes { codes in
        for x in 0..<width {
          let code = UInt16(code(input[x * stride]))
          codes[x] = component.inverted ? UInt16(component.largest) - code : code
        }
        layout.withPlanes(frame) { planes, rowBytes in
          planes.withMemoryRebound(to: UnsafeMutablePointer<UInt8>?.self, capacity: 4) {
            av_write_image_line2(
              codes, $0, rowBytes, PixelFormatDescription.of(layout.pixelFormat.code), 0, Int32(y),
              Int32(component.index), Int32(width), 2)
          }
        }
      }
    }
  }

  /// A line's 16-bit codes, which libavutil takes apart or puts together.
  private func withCodes(_ body: (UnsafeMutablePointer<UInt16>) -> Void) {
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: width) { body($0.baseAddress!) }
  }
}
