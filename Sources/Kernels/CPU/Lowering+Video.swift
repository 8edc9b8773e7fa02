import CKernels
import TensorCore

extension Lowering {
  /// Lowers what ``Graph/pairMeans(_:)`` and its neighbours describe.
  mutating func lower(_ operation: VideoOperation, _ node: Graph.Node, at index: Int) {
    let (value, inputs) = (node.output, node.inputs)
    let type = device.activationType

    switch operation {
    case .pairMeans:
      let from = inputs[0].shape
      append(value, inputs, at: index, "pair means") { execution, sources, output in
        tdm_pair_means(
          type.kernel, output, sources(0), from[0], from.count / from[0], execution.threads)
      }

    case .modulation(let activation):
      let coarse = inputs[1].shape
      append(value, inputs, inPlace: true, at: index, "modulation") { execution, sources, output in
        tdm_modulate_nearest(
          type.kernel, output, sources(0), tdm_extents(value.shape), sources(1), sources(2),
          tdm_extents(coarse), coarse.channels, activation.kernel, execution.threads)
      }

    case .unpatchifying(let size):
      append(value, inputs, at: index, "patches") { execution, sources, output in
        tdm_unpatchify(
          type.kernel, output, sources(0), tdm_extents(inputs[0].shape), value.shape.channels,
          size, execution.threads)
      }
    }
  }
}

extension tdm_extents {
  /// Of an image or a video.
  init(_ shape: Shape) {
    self.init(
      frames: shape.rank == 4 ? shape[0] : 1, height: shape[shape.rank - 3],
      width: shape[shape.rank - 2])
  }
}
