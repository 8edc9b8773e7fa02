import CZstd
import TensorCore

@testable import ModelFiles

/// Writes packed models, well-formed or not.
struct PackBuilder {
  struct File {
    var path: String
    var content: [UInt8]
    var planesFrom: Int?
    /// As the index has them.
    var steps: String?
    /// Instead of the true ones, where given.
    var size: Int?
    var packedSize: Int?
  }

  var magic = PackedModel.magic
  var version = PackedModel.version
  var checksum = true
  /// Instead of the true sizes, where given.
  var packedIndexSize: UInt32?
  var indexSize: UInt32?
  var byteCount: UInt64?
  /// Instead of the one that lists the files, where given.
  var index: String?
  var files: [File] = []

  func build() -> [UInt8] {
    let frames = files.map { frame($0.content) }
    let listed = zip(files, frames).map { file, frame in
      "{\"path\":\"\(file.path)\",\"size\":\(file.size ?? file.content.count),"
        + "\"packed\":\(file.packedSize ?? frame.count)"
        + (file.planesFrom.map { ",\"planesFrom\":\($0)" } ?? "")
        + (file.steps.map { ",\"steps\":\($0)" } ?? "") + "}"
    }
    let index = Array((index ?? "{\"files\":[\(listed.joined(separator: ","))]}").utf8)
    let first = frame(index)
    let rest = first + frames.joined()
    func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian, Array.init)
    }
    return magic + bytes(version) + bytes(packedIndexSize ?? UInt32(first.count))
      + bytes(indexSize ?? UInt32(index.count)) + bytes(UInt32(0))
      + bytes(byteCount ?? UInt64(PackedModel.headerSize + rest.count)) + rest
  }

  private func frame(_ content: [UInt8]) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0)
    var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
    let size = ZSTD_compress2(context, &frame, frame.count, content, content.count)
    frame.removeLast(frame.count - size)
    return frame
  }
}
