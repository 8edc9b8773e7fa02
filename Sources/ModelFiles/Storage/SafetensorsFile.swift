import TensorCore

/// A safetensors file that is open, its header checked.
struct SafetensorsFile: Sendable {
  let name: String
  let storage: any WeightStorage
  let header: SafetensorsHeader

  init(_ file: StoredFile) throws(ModelError) {
    // The header alone: a checkpoint may have gigabytes of tensors behind it.
    let prefix = try file.withBytes(0..<min(8, file.range.count)) { bytes in
      SafetensorsHeader.byteCount(prefix: bytes, fileSize: file.range.count)
    }
    let header = try file.withBytes(0..<prefix) { bytes throws(ModelError) in
      try SafetensorsHeader(file: file.name, prefix: bytes, fileSize: file.range.count)
    }
    let start = file.range.lowerBound
    name = file.name
    storage = file.storage
    // Offsets count from the start of the file; what the file lies in may hold others before it.
    self.header =
      start == 0
      ? header
      : SafetensorsHeader(
        tensors: header.tensors.map {
          StoredTensor(
            name: $0.name, dtype: $0.dtype, extents: $0.extents,
            range: start + $0.range.lowerBound..<start + $0.range.upperBound)
        }, metadata: header.metadata, dataOffset: start + header.dataOffset)
  }
}

extension SafetensorsHeader {
  init(tensors: [StoredTensor], metadata: [String: String], dataOffset: Int) {
    self.tensors = tensors
    self.metadata = metadata
    self.dataOffset = dataOffset
  }
}
