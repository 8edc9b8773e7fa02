import StrictJSON
import TensorCore

/// A place in the tree of names of a checkpoint, walked as the networks are built:
///
///     let block = unet["down_blocks", 0]["resnets", 1]
///     let weight = try block.tensor("conv1.weight", [320, 320, 3, 3])
///
/// Every tensor is asked for with the shape that the configuration implies, so a checkpoint that
/// does not belong to its configuration fails by the tensor's name. At the end `finish()` refuses
/// tensors that nobody asked for. Names are those that diffusers writes today; `WeightNames` knows
/// the older ones. Used by one thread.
public final class WeightScope {
  /// For example `unet/down_blocks.0.resnets.1`.
  public var path: String { "\(checkpoint.part.rawValue)/\(prefix)" }
  private let checkpoint: Checkpoint
  private let prefix: String

  init(checkpoint: Checkpoint, prefix: String = "") {
    self.checkpoint = checkpoint
    self.prefix = prefix
  }

  /// The scope below, `scope["mid_block"]`; dots within `name` are fine.
  public subscript(_ name: String) -> WeightScope {
    WeightScope(checkpoint: checkpoint, prefix: full(name))
  }

  /// The scope of one of several, `scope["down_blocks", 0]`.
  public subscript(_ name: String, _ index: Int) -> WeightScope { self["\(name).\(index)"] }

  private func full(_ name: String) -> String { prefix.isEmpty ? name : "\(prefix).\(name)" }

  /// The tensor `name`, in the shape asked for. A matrix [out, in] and a 1x1 convolution [out, in,
  /// 1, 1] stand for each other.
  /// - Throws: `ModelError` where it is missing, has another shape or holds no F32, F16 or BF16.
  public func tensor(_ name: String, _ shape: Shape) throws(ModelError) -> WeightTensor {
    guard let tensor = try optional(name, shape) else {
      throw ModelError(
        "\(checkpoint.place): tensor \(full(name).quoted) is missing, expected with shape \(shape): "
          + checkpoint.mismatch)
    }
    return tensor
  }

  /// As `tensor`, but nil where there is none of that name.
  public func optional(_ name: String, _ shape: Shape) throws(ModelError) -> WeightTensor? {
    guard let found = checkpoint.take(full(name)) else { return nil }
    let stored = found.stored
    guard let elementType = ElementType(rawValue: stored.dtype) else {
      throw ModelError(
        "\(checkpoint.place): tensor \(stored.name.quoted) is \(stored.dtype), expected F32, F16 or "
          + "BF16: save the model in one of these")
    }
    guard Self.interchangeable(stored.extents, shape.extents) else {
      throw ModelError(
        "\(checkpoint.place): tensor \(stored.name.quoted) has shape \(Shape(stored.extents)), expected "
          + "\(shape): \(checkpoint.mismatch)")
    }
    return WeightTensor(
      name: "\(checkpoint.part.rawValue)/\(stored.name)", shape: shape, elementType: elementType,
      storage: found.storage, range: stored.range)
  }

  /// The tensors of the whole part that nobody has asked for, known leftovers aside.
  public var unused: [String] { checkpoint.unused }

  /// - Throws: `ModelError` naming the tensors of the part that nobody has asked for.
  public func finish() throws(ModelError) {
    let unused = unused
    guard let first = unused.first else { return }
    let others = unused.dropFirst().prefix(2).map { ", " + $0.quoted }.joined()
    throw ModelError(
      "\(checkpoint.place): \(unused.count) tensors have no place in the network: \(first.quoted)\(others)"
        + (unused.count > 3 ? ", ..." : "")
        + ": \(checkpoint.mismatch)")
  }

  /// Equal, but for ones at the end behind the second extent.
  private static func interchangeable(_ one: [Int], _ other: [Int]) -> Bool {
    func matrix(_ extents: [Int]) -> [Int] {
      var extents = extents
      while extents.count > 2, extents.last == 1 { extents.removeLast() }
      return extents
    }
    return one == other || matrix(one) == matrix(other)
  }
}
