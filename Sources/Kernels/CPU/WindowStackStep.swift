import CKernels
import TensorCore

/// The tensors of a window's frames side by side, pixel by pixel.
final class WindowStackStep: Step {
  let label = "window"
  let reads, writes: [Buffer]
  let readsWindow = true

  private let settings: WindowStack
  private let target: Buffer
  private let features: WindowFeatures
  private let pixelCount: Int

  init(_ settings: WindowStack, image: Buffer, target: Buffer, pixelCount: Int) {
    self.settings = settings
    self.target = target
    self.pixelCount = pixelCount
    features = WindowFeatures(tensors: [image], site: settings.site)
    reads = [image]
    writes = [target]
  }

  func run(_ execution: Execution, frame: Int) {
    let image = features.tensors[0]
    let own = UnsafeRawPointer(execution.pointer(image, frame: frame))
    let count = 2 * settings.radius + 1
    features.withSources(execution, frame: frame) { pointers, found, sources in
      withUnsafeTemporaryAllocation(of: UnsafeRawPointer?.self, capacity: count) { window in
        window.initialize(repeating: own)
        for index in 0..<found {
          let place = settings.radius + (sources?[index].offset ?? 0)
          if window.indices.contains(place) { window[place] = pointers[index] }
        }
        tdm_interleave(
          execution.pointer(target, frame: frame), window.baseAddress!, count,
          image.byteCount / pixelCount, pixelCount, execution.threads)
      }
    }
  }

  func finish(_ execution: Execution) { features.store(execution) }
}
