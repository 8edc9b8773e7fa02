import Glibc
import Video

/// How long the input is, where that can be told before it is read.
enum InputLength {
  /// Bytes from here to the end of a regular file; nil for everything else.
  static func bytesAhead(_ descriptor: Int32) -> Int? {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    let place = lseek(descriptor, 0, SEEK_CUR)
    return place < 0 ? nil : max(0, Int(status.st_size) - place)
  }

  /// Whole frames of a stream whose header has been read. All FRAME lines are taken to be as long
  /// as the first, and no further header to be there.
  /// - Parameter byteCount: of the file, from where `source` began; nil, as what is returned, where
  ///   it is none.
  static func frameCount(
    _ byteCount: Int?, of format: StreamFormat, in source: ByteSource
  ) throws(VideoError) -> Int? {
    guard let byteCount else { return nil }
    var frame = format.layout.byteCount
    if format.container == .y4m, let end = try source.peek(1024).firstIndex(of: 0x0a) {
      frame += end + 1
    }
    return (byteCount - source.position) / frame
  }
}
