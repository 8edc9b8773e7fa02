import StrictJSON

/// Finds the files that hold a part's weights: one file or shards with an index, in full precision
/// or, where there is none of that, in half. Of both kinds diffusers takes the shards, transformers
/// the one file.
enum PartWeights {
  /// Of files with weights that are never opened.
  static let otherEndings = [".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".onnx"]

  /// - Parameter folder: the part's own.
  static func checkpoint(_ part: ModelPart, in folder: any FileTree) throws(ModelError)
    -> Checkpoint
  {
    guard let stem = part.weightsStem else {
      preconditionFailure("the part \(part.rawValue) has no weights")
    }
    let whole = ["\(stem).safetensors"]
    let index = ["\(stem).safetensors.index.json"]
    let halfWhole = ["\(stem).fp16.safetensors"]
    let halfIndex = ["\(stem).safetensors.index.fp16.json", "\(stem).fp16.safetensors.index.json"]
    let names =
      part == .textEncoder
      ? whole + index + halfWhole + halfIndex : index + whole + halfIndex + halfWhole
    for name in names {
      guard let file = try folder.file(name) else { continue }
      if name.hasSuffix(".json") { return try sharded(part, index: file, in: folder) }
      return try Checkpoint(part: part, place: file.name, files: [SafetensorsFile(file)])
    }
    throw missing(stem: stem, in: folder)
  }

  private static func missing(stem: String, in folder: any FileTree) -> ModelError {
    let names = folder.names(in: "")
    if let variant = names.first(where: {
      $0.hasPrefix("\(stem).") && $0.hasSuffix(".safetensors")
    }) {
      return ModelError(
        "\(folder.place("\(stem).safetensors")): missing, and of variants beside it only fp16 is read, not "
          + "\(variant.quoted): give it that name, or copy the model's weights there")
    }
    let pickle = names.first { name in otherEndings.contains { name.hasSuffix($0) } }
    guard let pickle else {
      return ModelError(
        "\(folder.place("\(stem).safetensors")): missing: copy the model's weights there")
    }
    return ModelError(
      "\(folder.place("\(stem).safetensors")): missing, and \(pickle.quoted) beside it is never opened, "
        + "because such files can run code: save the model as safetensors")
  }

  private static func sharded(
    _ part: ModelPart, index: StoredFile, in folder: any FileTree
  ) throws(ModelError) -> Checkpoint {
    guard let map = try index.object()["weight_map"]?.object else {
      throw ModelError("\(index.name): expected an object weight_map: tensors and their files")
    }
    var fileOf: [String: String] = [:]
    for (tensor, value) in map {
      guard let name = value.string, name.hasSuffix(".safetensors"), !name.contains("/") else {
        throw ModelError(
          "\(index.name): tensor \(tensor.quoted): expected a .safetensors file of the same folder, "
            + "found \(value.summary)")
      }
      fileOf[tensor] = name
    }
    var files: [SafetensorsFile] = []
    var found = 0
    for name in Set(fileOf.values).sorted() {
      let shard = try folder.required(name, "\(index.name) lists it: copy it there")
      let file = try SafetensorsFile(shard)
      for tensor in file.header.tensors where fileOf[tensor.name] != name {
        throw ModelError(
          "\(file.name): tensor \(tensor.name.quoted): expected in "
            + "\(fileOf[tensor.name]?.quoted ?? "no file") by \(index.name), found here")
      }
      found += file.header.tensors.count
      files.append(file)
    }
    if found != fileOf.count {
      let held = Set(files.flatMap { $0.header.tensors.map(\.name) })
      let lost = fileOf.keys.filter { !held.contains($0) }.sorted().first ?? ""
      throw ModelError(
        "\(index.name): tensor \(lost.quoted) is missing from \(fileOf[lost]?.quoted ?? "its file")"
      )
    }
    return try Checkpoint(part: part, place: index.name, files: files)
  }
}
