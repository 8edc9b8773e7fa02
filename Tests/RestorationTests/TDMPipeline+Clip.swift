@testable import Restoration

extension TDMPipeline {
  /// Restores a whole clip, frame by frame, and then the end.
  func restore(_ clip: some Sequence<[Float]>) throws -> [[Float]] {
    var restored: [[Float]] = []
    for frame in clip { try push(frame) { restored.append($0) } }
    try finish { restored.append($0) }
    return restored
  }
}
