import Foundation
import Kernels
import TensorCore

@testable import Restoration

/// Networks in a few lines of arithmetic: linear in the latent, in the mean of what the window
/// reads, in the condition. A pipeline that mixes up frames, windows, passes, timesteps or prompts
/// gives other numbers.
final class PlainNetworks: PipelineNetworks {
  static let multiple = 4

  let latentShape: Shape
  let seesSecondPicture: Bool
  var onEvaluation: (() -> Void)?
  /// Of the pictures; they are not padded.
  private let canvas: Canvas
  /// Evaluations: the frames of each run.
  private(set) var groupSizes: [Int] = []
  private(set) var encodeCount = 0
  /// What conditions were made of.
  private(set) var embedded: [(picture: [Float], second: [Float]?)] = []
  private(set) var tensorCount = 0
  private var latents: [() -> PlainTensor?] = []
  private(set) var releaseCount = 0
  private(set) var prompts: [String] = []
  /// The last that was made.
  private(set) var fusion: PlainFusion?

  /// For the tiles of a tiling.
  init(_ tiling: Tiling, seesSecondPicture: Bool = false) {
    self.seesSecondPicture = seesSecondPicture
    canvas = Canvas(height: tiling.height, width: tiling.width, multiple: Self.multiple)
    latentShape = [canvas.height / Self.multiple, canvas.width / Self.multiple, 3]
  }

  func memory(sideBySide frames: Int) -> NetworkMemory {
    NetworkMemory(
      weights: 1000, activations: frames * canvas.frameCount * 20, features: latentShape.count,
      latent: latentShape.count * 4, guide: latentShape.count * 4,
      pictures: (seesSecondPicture ? 2 : 1) * canvas.frameCount * 4)
  }

  func discardLeftovers() {}
  func forgetReplaced() {}

  func releaseMemory() { releaseCount += 1 }

  /// Latents and conditions that somebody holds.
  var livingTensorCount: Int { latents.count { $0() != nil } }

  func makeFusion(height: Int, width: Int) -> any MotionFusion {
    let fusion = PlainFusion(height * width * 3)
    self.fusion = fusion
    return fusion
  }

  func fusionByteCount(
    height: Int, width: Int, pictures: Int, others: Int, histories: Int
  ) -> Int {
    (pictures + histories) * height * width * 3 * 4
  }

  func makePicture() -> any DeviceTensor {
    PlainTensor([canvas.height, canvas.width, 3])
  }

  func makeLatent() -> any DeviceTensor {
    tensorCount += 1
    let tensor = PlainTensor(latentShape)
    latents.append { [weak tensor] in tensor }
    return tensor
  }

  func makeGuide() -> FrameGuide { FrameGuide(condition: makeLatent(), second: nil) }

  func makeFeatureCache(passes: Int, slots: Int) throws -> any FeatureCache {
    PlainCache(passes: passes, slots: slots)
  }

  func combine(
    into out: any DeviceTensor, _ a: Float, _ x: any DeviceTensor, _ b: Float, _ y: any DeviceTensor
  ) {
    out.load(zip(x.elements, y.elements).map { a * $0 + b * $1 })
  }

  func prepare(prompt: String) throws -> any PromptContext {
    prompts.append(prompt)
    return PlainContext(prompt)
  }

  func encode(_ picture: any DeviceTensor, into latent: any DeviceTensor) throws {
    encodeCount += 1
    latent.load(Self.reduced(picture.elements, canvas))
  }

  func decode(_ latent: any DeviceTensor, into picture: any DeviceTensor) throws {
    picture.load(Self.enlarged(latent.elements, canvas))
  }

  /// Of the second alone, where that is seen: else nothing would tell it from the picture.
  func guide(
    by picture: any DeviceTensor, latent: any DeviceTensor, second: (any DeviceTensor)?,
    into guide: FrameGuide
  ) throws {
    let second = seesSecondPicture ? (second ?? picture).elements : nil
    embedded.append((picture.elements, second))
    guide.condition!.load(Self.reduced((second ?? picture.elements).map { ($0 + 1) / 2 }, canvas))
  }

  func predict(
    _ latents: [any DeviceTensor], guides: [FrameGuide], timestep: Int,
    context: any PromptContext, controlScale: Float, window: WindowPass?,
    into outputs: [any DeviceTensor]
  ) throws {
    precondition(outputs.count <= latents.count)
    precondition(guides.count == latents.count)
    groupSizes.append(latents.count)
    onEvaluation?()
    let model = PlainModel(timestep: timestep, prompt: (context as! PlainContext).prompt)
    let latents = latents.map(\.elements)
    let features = latents.map(model.feature)
    let cache = window?.cache as? PlainCache
    for place in outputs.indices {
      let read =
        window?.sources[place].map { source in
          switch source {
          case .member(let member, _): features[member]
          case .cached(let slot, _): cache!.features[window!.pass][slot]!
          }
        } ?? [features[place]]
      outputs[place].load(
        model.output(
          latents[place], window: read,
          condition: controlScale == 0 ? nil : guides[place].condition!.elements,
          controlScale: controlScale))
    }
    for (member, slot) in window?.stores ?? [] {
      cache!.features[window!.pass][slot] = features[member]
    }
  }

  /// Means over cells of 4 x 4 pixels.
  static func reduced(_ picture: [Float], _ canvas: Canvas) -> [Float] {
    let columns = canvas.paddedWidth / multiple
    var latent = [Float](repeating: 0, count: canvas.paddedHeight * columns / multiple * 3)
    for (index, value) in picture.enumerated() {
      let pixel = index / 3
      let row = pixel / canvas.paddedWidth / multiple
      let column = pixel % canvas.paddedWidth / multiple
      latent[(row * columns + column) * 3 + index % 3] += value / Float(multiple * multiple)
    }
    return latent
  }

  static func enlarged(_ latent: [Float], _ canvas: Canvas) -> [Float] {
    let columns = canvas.paddedWidth / multiple
    return (0..<canvas.paddedHeight * canvas.paddedWidth * 3).map { index in
      let pixel = index / 3
      let row = pixel / canvas.paddedWidth / multiple
      let column = pixel % canvas.paddedWidth / multiple
      return latent[(row * columns + column) * 3 + index % 3]
    }
  }
}

/// The arithmetic of one evaluation.
struct PlainModel {
  let timestep: Int
  let prompt: String

  private var promptNumber: Float {
    Float(prompt.utf8.reduce(0) { ($0 * 31 + Int($1)) % 1009 }) / 1009
  }

  func feature(_ latent: [Float]) -> [Float] {
    let gain = 1 + 0.2 * sinf(Float(timestep) / 100)
    return latent.map { $0 * gain + 0.1 * promptNumber }
  }

  func output(_ latent: [Float], window: [[Float]], condition: [Float]?, controlScale: Float)
    -> [Float]
  {
    let drift = 0.3 * cosf(Float(timestep) / 50 + promptNumber)
    return latent.indices.map { index in
      let mean = window.reduce(0) { $0 + $1[index] } / Float(window.count)
      return 0.2 * latent[index] + 0.4 * mean * promptNumber + drift
        + 0.3 * controlScale * (condition?[index] ?? 0)
    }
  }
}

final class PlainTensor: DeviceTensor {
  let shape: Shape
  let storage = Storage.exact
  private var values: [Float]

  init(_ shape: Shape) {
    self.shape = shape
    values = Array(repeating: 0, count: shape.count)
  }

  func load(_ elements: [Float]) {
    precondition(elements.count == shape.count)
    values = elements
  }

  func store(into elements: inout [Float]) { elements = values }
}

extension DeviceTensor {
  var elements: [Float] {
    var elements = [Float](repeating: 0, count: shape.count)
    store(into: &elements)
    return elements
  }
}

/// Reading a slot that nothing was stored in ends the test.
final class PlainCache: FeatureCache {
  var features: [[[Float]?]]

  init(passes: Int, slots: Int) {
    features = Array(repeating: Array(repeating: nil, count: slots), count: passes)
  }
}

final class PlainContext: PromptContext {
  let prompt: String

  init(_ prompt: String) { self.prompt = prompt }
}

/// The plain mean of a picture, the others and those of the history; or of each value the second
/// lowest, the picture's own where there are fewer than three.
final class PlainFusion: MotionFusion {
  private final class Picture: FusionPicture { var pixels: [Float] = [] }
  private final class History: FusionHistory { var pictures: [[Float]] = [] }
  private let count: Int
  private(set) var fuseCount = 0

  init(_ count: Int) { self.count = count }

  func makePicture() -> any FusionPicture { Picture() }
  func makeHistory() -> any FusionHistory { History() }
  func clear(_ history: any FusionHistory) { (history as! History).pictures = [] }

  func take(_ picture: any FusionPicture, into history: any FusionHistory, most: Int) {
    let history = history as! History
    history.pictures = (history.pictures + [(picture as! Picture).pixels]).suffix(most)
  }

  func load(_ rgb: [Float], into picture: any FusionPicture) { (picture as! Picture).pixels = rgb }

  func store(_ picture: any FusionPicture, into rgb: inout [Float]) {
    rgb = (picture as! Picture).pixels
  }

  func fuse(
    _ pictures: [any FusionPicture], at place: Int, noise: Float, history: (any FusionHistory)?,
    into fused: inout [Float]
  ) {
    fuseCount += 1
    let all = pictures.map { ($0 as! Picture).pixels } + ((history as! History?)?.pictures ?? [])
    fused = (0..<count).map { index in all.reduce(0) { $0 + $1[index] } / Float(all.count) }
  }

  func fuseByRank(_ pictures: [any FusionPicture], at place: Int, into fused: inout [Float]) {
    let all = pictures.map { ($0 as! Picture).pixels }
    fused =
      all.count < 3 ? all[place] : (0..<count).map { index in all.map { $0[index] }.sorted()[1] }
  }
}
