/// Frames out of a Y4M stream, and out of several in a row whose headers say the same (`cat a.y4m
/// b.y4m`).
public final class Y4MReader: FrameReader, @unchecked Sendable {
  // Sendable: one thread at a time uses it.
  public let format: StreamFormat
  /// What the header said, before the user had a say.
  private let stated: StreamFormat
  private let source: ByteSource
  private let pool: FramePool
  private var frameCount = 0
  private var beginsSequence = true

  /// Reads the header.
  /// - Parameter description: its range and matrix stand above the header's.
  public init(_ source: ByteSource, overriding description: InputDescription = InputDescription())
    throws(VideoError)
  {
    let byte = source.position
    stated = try Y4MHeader.parse(try source.line(limit: Y4MHeader.longestLine), at: byte)
    self.source = source
    var format = stated
    format.matrix = description.matrix
    format.range = description.range ?? stated.range
    format.frameRate = stated.frameRate ?? description.frameRate
    self.format = format
    pool = FramePool(format.layout)
  }

  public func next() throws(VideoError) -> Frame? {
    while true {
      let byte = source.position
      let line = try source.line(limit: Y4MHeader.longestLine)
      if source.wasInterrupted || line.bytes.isEmpty && !line.isComplete { return nil }
      if line.bytes.starts(with: Y4MHeader.magic.utf8) {
        try continueWith(Y4MHeader.parse(line, at: byte), at: byte)
        continue
      }
      return try frame(parameters: parameters(of: line, at: byte))
    }
  }

  /// What stands behind `FRAME` in `line`.
  private func parameters(of line: (bytes: [UInt8], isComplete: Bool), at byte: Int)
    throws(VideoError) -> String
  {
    let marker = Array("FRAME".utf8)
    let (bytes, isComplete) = line
    guard bytes.starts(with: marker), bytes.count == marker.count || bytes[marker.count] == 0x20
    else {
      if !isComplete, marker.starts(with: bytes) { throw truncatedLine(bytes.count, at: byte) }
      throw VideoError(
        .badStream,
        "input at byte \(byte), before frame \(frameCount): expected \"FRAME\", found "
          + "\(VideoError.spelled(bytes)); bytes are missing or too many before here: check the "
          + "size and colour space in the header and what writes the stream (\(knownFault))")
    }
    guard isComplete else {
      guard bytes.count < Y4MHeader.longestLine else {
        throw VideoError(
          .badStream,
          "input at byte \(byte), before frame \(frameCount): the FRAME line has no newline in its "
            + "first \(Y4MHeader.longestLine) bytes; expected at most 80; check what writes the "
            + "stream")
      }
      throw truncatedLine(bytes.count, at: byte)
    }
    if let odd = bytes.firstIndex(where: { !(0x20..<0x7f).contains($0) }) {
      throw VideoError(
        .badStream,
        "input at byte \(byte + odd), before frame \(frameCount): expected printable ASCII in the "
          + "FRAME line, found \(VideoError.spelled([bytes[odd]])); check what writes the stream")
    }
    return String(decoding: bytes.dropFirst(marker.count + 1), as: UTF8.self)
  }

  /// What usual writers do wrongly with such pictures.
  private var knownFault: String {
    let pixels = stated.pixelFormat
    let hasHalvedColours = stated.size.width % 2 == 1 && pixels.log2ChromaWidth > 0
    return hasHalvedColours && pixels.components.contains { $0.depth > 8 }
      ? "ffmpeg writes odd widths wrongly above 8 bits where pixels share colours: give it -pix_fmt "
        + "yuv444p10le or the like, or send raw frames"
      : "GStreamer's y4menc pads the rows of widths that are no multiples of 8"
  }

  private func frame(parameters: String) throws(VideoError) -> Frame? {
    let frame = try pool.frame(
      number: frameCount, parameters: parameters, beginsSequence: beginsSequence)
    guard try source.fill(frame) else { return nil }
    frameCount += 1
    beginsSequence = false
    return frame
  }

  /// A header in mid-stream: another stream follows, and must look the same.
  private func continueWith(_ other: StreamFormat, at byte: Int) throws(VideoError) {
    func text(_ ratio: Ratio?) -> String { ratio.map { $0.reduced.description } ?? "unknown" }
    func tag(_ format: StreamFormat) -> String {
      "C" + (Y4MColorTag.tag(for: format.pixelFormat, format.chromaSiting) ?? "?")
    }
    let compared = [
      ("size", stated.size.description, other.size.description),
      ("colour space", tag(stated), tag(other)),
      ("colour range", stated.effectiveRange.rawValue, other.effectiveRange.rawValue),
      ("frame rate", text(stated.frameRate), text(other.frameRate)),
      ("pixel aspect", text(stated.pixelAspect), text(other.pixelAspect)),
      (
        "interlacing", String((stated.interlacing ?? .unknown).rawValue),
        String((other.interlacing ?? .unknown).rawValue)
      ),
    ]
    if let (what, expected, found) = compared.first(where: { $0.1 != $0.2 }) {
      throw VideoError(
        .badStream,
        "input at byte \(byte), after \(frameCount) frames: another Y4M header follows with a "
          + "different \(what): expected \(expected), found \(found); restore the streams one by "
          + "one, or make them equal first"
      )
    }
    beginsSequence = true
  }

  private func truncatedLine(_ found: Int, at byte: Int) -> VideoError {
    VideoError(
      .badStream,
      "input at byte \(byte + found): the stream ends inside the FRAME line of frame "
        + "\(frameCount); whole frames before it: \(frameCount); check what writes the stream")
  }
}
