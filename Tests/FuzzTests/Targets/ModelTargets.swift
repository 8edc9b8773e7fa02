import CZstd
import StrictJSON
import TensorCore

@testable import ModelFiles

private func file(_ name: String, _ bytes: some Collection<UInt8>) -> StoredFile {
  StoredFile(name: name, bytes: Array(bytes))
}

/// The tensors of a checkpoint that is accepted fill its data exactly.
func fuzzSafetensors(_ bytes: UnsafeRawBufferPointer) {
  guard let checkpoint = try? SafetensorsFile(file("fuzz", bytes)) else { return }
  var end = checkpoint.header.dataOffset
  for tensor in checkpoint.header.tensors {
    precondition(tensor.range.lowerBound == end && tensor.range.upperBound >= end)
    end = tensor.range.upperBound
  }
  precondition(end == bytes.count)
  guard let scope = try? Checkpoint(part: .unet, place: "fuzz", files: [checkpoint]) else { return }
  let unet = WeightScope(checkpoint: scope)
  for stored in checkpoint.header.tensors.prefix(16) {
    guard let tensor = try? unet.tensor(stored.name, Shape(stored.extents)) else { continue }
    let count = try! tensor.storage.withBytes(in: tensor.range) { $0.count }
    precondition(count == tensor.shape.count * tensor.elementType.byteCount)
  }
}

/// Every tensor belongs to one part at most, and what its part is made of can be asked for.
func fuzzSingleFile(_ bytes: UnsafeRawBufferPointer) {
  var entries: [String: JSON] = [:]
  var end = 0
  for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(64) where line.count > 4 {
    let extents = line.prefix(4).map { Int($0 % 16) }.prefix { $0 > 0 }.map { $0 * 4 }
    let name = String(decoding: line.dropFirst(4), as: UTF8.self)
    guard entries[name] == nil else { continue }
    let size = 2 * extents.reduce(1, *)
    guard end + size < 1 << 24 else { break }
    entries[name] = .object([
      "dtype": .string("F16"), "shape": .array(extents.map(JSON.integer)),
      "data_offsets": .array([.integer(end), .integer(end + size)]),
    ])
    end += size
  }
  let header = Array(JSON.object(entries).text.utf8)
  let prefix = withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header
  let checkpoint = file("fuzz", prefix + [UInt8](repeating: 0, count: end))
  for role in [SingleFileModel.Role.model, .controlNet] {
    guard let tree = try? SingleFileModel(checkpoint, as: role) else { continue }
    if let folder = try? ModelFolder(tree: tree) {
      try? folder.requireFit(withControlNet: folder.hasPart(.controlnet))
    }
    var count = 0
    for part in [ModelPart.unet, .vae, .textEncoder, .controlnet] {
      _ = try? tree.file("\(part.rawValue)/config.json")
      count += (try? tree.weights(of: part, in: part.rawValue).unused.count) ?? 0
    }
    precondition(count <= entries.count)
  }
}

/// What a configuration says is within the ranges that its networks may be built for.
func fuzzConfig(_ bytes: UnsafeRawBufferPointer) {
  guard let first = bytes.first else { return }
  let text = file("config.json", bytes.dropFirst())
  guard let json = try? text.json() else { return }
  // What is read can be written, and is then the same.
  precondition(try! file("again", json.text.utf8).json() == json)
  guard let reader = try? ConfigReader(text) else { return }
  switch first % 6 {
  case 0:
    guard let config = try? UNetConfig(reader) else { return }
    precondition(config.blockOutChannels.allSatisfy { $0 % config.normGroupCount == 0 })
  case 1: _ = try? ControlNetConfig(reader)
  case 2:
    guard let config = try? AutoencoderConfig(reader) else { return }
    precondition(config.factor > 0 && config.latentChannels > 0)
  case 3:
    guard let config = try? CLIPTextConfig(reader) else { return }
    precondition(config.hiddenSize % config.headCount == 0)
  case 4: _ = try? SchedulerConfig(reader)
  default:
    _ = try? PresetConfig(reader)
    _ = try? CogVideoXSchedulerConfig(reader)
    if let config = try? CogVideoXTransformerConfig(reader) {
      precondition(config.channels % 16 == 0)
    }
    if let config = try? AutoencoderKLCogVideoXConfig(reader) {
      precondition(config.blockOutChannels.allSatisfy { $0 % config.normGroupCount == 0 })
    }
    if let config = try? T5Config(reader) {
      precondition(config.relativeMaxDistance > config.relativeBucketCount / 4)
    }
  }
}

/// Files by their paths.
private struct MemoryTree: FileTree {
  let name = "fuzz"
  let files: [String: StoredFile]
  func file(_ path: String) throws(ModelError) -> StoredFile? { files[path] }
  func names(in folder: String) -> [String] { files.keys.sorted() }
}

/// A prompt has as many tokens as the tokenizer says, all of them in its vocabulary.
func fuzzTokenizer(_ bytes: UnsafeRawBufferPointer) {
  var parts = bytes.split(separator: 0, maxSplits: 4, omittingEmptySubsequences: false)
    .map { Array($0) }
  let prompt = String(decoding: parts.popLast() ?? [], as: UTF8.self)
  var files: [String: StoredFile] = [:]
  let paths = ["vocab.json", "merges.txt", "tokenizer_config.json", "tokenizer.json"]
  for (path, part) in zip(paths, parts) where !part.isEmpty { files[path] = file(path, part) }
  guard let described = try? CLIPTokenizerFiles(MemoryTree(files: files)),
    let tokenizer = try? CLIPTokenizer(described, length: 77)
  else { return }
  let tokens = tokenizer.encode(prompt)
  precondition(tokens.count == tokenizer.length)
  precondition(tokens.allSatisfy { (0...tokenizer.largestID).contains($0) })
}

/// The same of a T5's, whose model comes last because it may hold any byte: `spiece.model`, or with
/// a brace at its start `tokenizer.json`.
func fuzzT5Tokenizer(_ bytes: UnsafeRawBufferPointer) {
  let parts = bytes.split(separator: 0, maxSplits: 2, omittingEmptySubsequences: false)
    .map { Array($0) }
  guard parts.count == 3 else { return }
  let model = parts[2].first == UInt8(ascii: "{") ? "tokenizer.json" : "spiece.model"
  var files = [model: file(model, parts[2])]
  let config = "tokenizer_config.json"
  if !parts[0].isEmpty { files[config] = file(config, parts[0]) }
  for length in [1, 24] {
    guard let tokenizer = try? T5Tokenizer(MemoryTree(files: files), length: length) else { return }
    let tokens = tokenizer.encode(String(decoding: parts[1], as: UTF8.self))
    precondition(tokens.count == length)
    precondition(tokens.allSatisfy { (0...tokenizer.largestID).contains($0) })
  }
}

/// Shards that an index is taken for hold exactly what it says.
func fuzzShardIndex(_ bytes: UnsafeRawBufferPointer) {
  func shard(_ names: [String]) -> [UInt8] {
    let tensors = names.enumerated().map { place, name in
      "\"\(name)\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[\(place),\(place + 1)]}"
    }
    let header = Array("{\(tensors.joined(separator: ","))}".utf8)
    return withUnsafeBytes(of: UInt64(header.count).littleEndian, Array.init) + header
      + [UInt8](repeating: 0, count: names.count)
  }
  let index = "diffusion_pytorch_model.safetensors.index.json"
  let tree = MemoryTree(files: [
    index: file(index, bytes), "1.safetensors": file("1", shard(["a", "b"])),
    "2.safetensors": file("2", shard(["c"])),
  ])
  guard let checkpoint = try? PartWeights.checkpoint(.unet, in: tree) else { return }
  precondition([["a", "b"], ["c"], ["a", "b", "c"], []].contains(checkpoint.unused))
}

/// Everything that can be asked of a packed model is asked.
func fuzzPackedModel(_ bytes: UnsafeRawBufferPointer) {
  guard let first = bytes.first else { return }
  let rest = Array(bytes.dropFirst())
  let pack: [UInt8] =
    switch first % 3 {
    case 0: rest
    case 1: packed(index: rest, frames: [])
    default: packed(rest)
    }
  guard
    let tree = try? PackedModel(name: "fuzz", storage: HeldBytes(pack), byteCount: pack.count),
    let folder = try? ModelFolder(tree: tree)
  else { return }
  _ = try? folder.unetConfig()
  _ = try? folder.controlNetConfig()
  _ = try? folder.autoencoderConfig()
  _ = try? folder.textConfig()
  _ = try? folder.schedulerConfig()
  _ = try? folder.tokenizer(length: 77)
  _ = try? folder.t5Tokenizer(length: 226)
  _ = try? folder.presets()
  _ = try? folder.inner("superres").presets()
  for part in ModelPart.allCases where part.weightsStem != nil {
    _ = try? folder.weights(of: part)
  }
}

/// A sound packed model of files that follow each other: a path's number, how many of its numbers
/// are parted or, as many, parted and steps, a length in two bytes, the content.
private func packed(_ bytes: [UInt8]) -> [UInt8] {
  let paths = [
    "model_index.json", "presets.json", "unet/config.json", "scheduler/scheduler_config.json",
    "unet/diffusion_pytorch_model.safetensors", "tokenizer/vocab.json", "superres/presets.json",
  ]
  var rest = bytes[...]
  var files: [String] = []
  var frames: [[UInt8]] = []
  while rest.count >= 4, files.count < 16 {
    let head = Array(rest.prefix(4))
    let content = Array(rest.dropFirst(4).prefix(Int(head[2]) << 8 | Int(head[3])))
    rest = rest.dropFirst(4 + content.count)
    let count = Int(head[1] & 63)
    let (start, numbers) =
      switch head[1] {
      case 0..<128: (content.count, "")
      case 128..<192: (content.count - 2 * count, "")
      default: (content.count - 3 * count, ",\"steps\":[[\(count),-9],[\(count)]]")
      }
    let planes = head[1] < 128 ? "" : ",\"planesFrom\":\(start)\(numbers)"
    let size = numbers.isEmpty ? content.count : start + 4 * count
    frames.append(zstdFrame(content))
    files.append(
      "{\"path\":\"\(paths[Int(head[0]) % paths.count])\",\"size\":\(size),"
        + "\"packed\":\(frames.last!.count)\(planes)}")
  }
  return packed(index: Array("{\"files\":[\(files.joined(separator: ","))]}".utf8), frames: frames)
}

/// A sound header and frame around any index: no mutation would find a checksum.
private func packed(index: [UInt8], frames: [[UInt8]]) -> [UInt8] {
  let rest = zstdFrame(index) + frames.joined()
  func little<T: FixedWidthInteger>(_ value: T) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian, Array.init)
  }
  return PackedModel.magic + little(PackedModel.version) + little(UInt32(zstdFrame(index).count))
    + little(UInt32(index.count)) + little(UInt32(0))
    + little(UInt64(PackedModel.headerSize + rest.count)) + rest
}

private func zstdFrame(_ content: [UInt8]) -> [UInt8] {
  let context = ZSTD_createCCtx()
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
  var frame = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
  let size = ZSTD_compress2(context, &frame, frame.count, content, content.count)
  frame.removeLast(frame.count - size)
  return frame
}
