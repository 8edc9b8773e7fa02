import CZstd

@testable import ModelFiles

/// Writes packed models, well-formed or not.
struct PackBuilder {
  var magic = PackedModel.magic
  var version: UInt32 = 1
  var checksum = true
  /// Instead of the true sizes, where given.
  var indexSize: UInt32?
  var contentSize: UInt64?
  var frameSize: UInt64?
  var index: String
  var files: [[UInt8]] = []

  func build() -> [UInt8] {
    var content = Array(index.utf8)
    for file in files {
      content += Array(repeating: 0, count: (64 - content.count % 64) % 64) + file
    }
    return build(content: content)
  }

  func build(content: [UInt8]) -> [UInt8] {
    let context = ZSTD_createCCtx()
    defer { ZSTD_freeCCtx(context) }
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, checksum ? 1 : 0)
    var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
    let size = ZSTD_compress2(context, &frame, frame.count, content, content.count)
    frame.removeLast(frame.count - size)
    func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian, Array.init)
    }
    return magic + bytes(version) + bytes(indexSize ?? UInt32(index.utf8.count))
      + bytes(contentSize ?? UInt64(content.count)) + bytes(frameSize ?? UInt64(frame.count))
      + frame
  }
}
