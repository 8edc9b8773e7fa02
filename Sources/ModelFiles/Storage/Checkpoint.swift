import StrictJSON
import TensorCore

/// One tensor of a part, wherever its file lies.
struct CheckpointTensor: Sendable {
  let stored: StoredTensor
  let storage: any WeightStorage
}

/// The tensors of one part of a model, by canonical name, and which of them were asked for.
///
/// Used by one thread: the one that builds the networks.
final class Checkpoint {
  let part: ModelPart
  /// What errors call it: the file, or the folder of the shards.
  let place: String
  /// What it means where tensors are not those that the network asks for.
  let mismatch: String
  private let tensors: [String: CheckpointTensor]
  private var used: Set<String> = []

  /// - Parameter diffusersName: of a tensor by the file's own name; nil for those of other parts.
  init(
    part: ModelPart, place: String, files: [SafetensorsFile],
    mismatch: String = "the weights do not belong to the part's config.json",
    diffusersName: (String) -> String? = { $0 }
  ) throws(ModelError) {
    var tensors: [String: CheckpointTensor] = [:]
    for file in files {
      for stored in file.header.tensors {
        guard let own = diffusersName(stored.name) else { continue }
        let name = WeightNames.canonical(own, part: part)
        let tensor = CheckpointTensor(stored: stored, storage: file.storage)
        if let other = tensors.updateValue(tensor, forKey: name) {
          throw ModelError(
            "\(file.name): tensor \(stored.name.quoted) is there twice"
              + (other.stored.name == stored.name ? "" : ", also as \(other.stored.name.quoted)")
              + ": one of the two must go")
        }
      }
    }
    self.part = part
    self.place = place
    self.mismatch = mismatch
    self.tensors = tensors
  }

  /// Marks the tensor as used.
  func take(_ name: String) -> CheckpointTensor? {
    let name = WeightNames.canonical(name, part: part)
    guard let tensor = tensors[name] else { return nil }
    used.insert(name)
    return tensor
  }

  /// The file's own names, sorted, known leftovers aside.
  var unused: [String] {
    tensors.filter {
      !used.contains($0.key) && !WeightNames.isKnownLeftover($0.key, part: part)
    }.map(\.value.stored.name).sorted()
  }
}
