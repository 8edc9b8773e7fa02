import Foundation

@testable import Video

/// A file in memory, without a name.
private final class Scratch {
  let descriptor: Int32

  init() {
    var path = Array("/dev/shm/tdm-fuzz-XXXXXX".utf8CString)
    descriptor = mkstemp(&path)
    precondition(descriptor >= 0)
    unlink(path)
  }

  func fill(_ bytes: UnsafeRawBufferPointer) {
    var written = 0
    while written < bytes.count {
      written += write(descriptor, bytes.baseAddress! + written, bytes.count - written)
    }
    rewind()
  }

  func rewind() { lseek(descriptor, 0, SEEK_SET) }

  deinit { close(descriptor) }
}

/// Reads a stream, decodes what is small, writes it, and reads what was written: it has to be the
/// same.
func fuzzY4M(_ bytes: UnsafeRawBufferPointer) {
  let scratch = Scratch()
  scratch.fill(bytes)
  guard let reader = try? InputDescription().open(ByteSource(descriptor: scratch.descriptor)) else {
    return
  }
  let format = reader.format
  var frames: [Frame] = []
  // More cannot be told from fewer, and takes long.
  while frames.count < 8, let frame = try? reader.next() { frames.append(frame) }
  if format.size.pixelCount < 4096, let frame = frames.first {
    var source: [Float] = []
    try! FrameDecoder(format).decode(frame, into: &source)
    precondition(source.allSatisfy(\.isFinite))
    var rgb = source
    RangeExcess.cut(&rgb)
    precondition(rgb.allSatisfy { (0...255).contains($0) })
    var excess = RangeExcess(format.size)
    excess.giveBack(source, to: &rgb)
    let encoder = try! FrameEncoder(format, from: format)
    precondition(try! encoder.encode(rgb, from: frame).parameters == frame.parameters)
  }

  let copy = Scratch()
  let writer = try! FrameWriter(ByteSink(descriptor: copy.descriptor), format)
  for frame in frames { try! writer.write(frame) }
  try! writer.finish()
  copy.rewind()
  let again = try! InputDescription().open(ByteSource(descriptor: copy.descriptor))
  precondition(again.format.layout == format.layout)
  for frame in frames {
    let other = try! again.next()!
    precondition(other.withBytes { one in frame.withBytes { one.elementsEqual($0) } })
  }
  precondition(try! again.next() == nil)
}
