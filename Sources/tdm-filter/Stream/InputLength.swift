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

  /// Whole frames in so many bytes of a stream behind its header. FRAME lines are taken to have no
  /// parameters, and no further header to be there.
  static func frameCount(in byteCount: Int, of format: StreamFormat) -> Int {
    let line = format.container == .y4m ? "FRAME\n".utf8.count : 0
    return byteCount / (format.layout.byteCount + line)
  }
}
