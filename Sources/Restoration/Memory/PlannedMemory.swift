/// What is known of the memory of networks that were planned.
struct PlannedMemory {
  private let options: RestorationOptions
  private let area: Int
  private let memory: NetworkMemory
  private let activationsOfFrame: Int
  private let fusion: Int

  /// - Parameter tiling: that the networks were planned for.
  init(_ options: RestorationOptions, _ tiling: Tiling, _ networks: any PipelineNetworks) {
    self.options = options
    area = tiling.pictureCount
    memory = networks.memory(sideBySide: options.heldCount)
    activationsOfFrame =
      networks.memory(sideBySide: options.heldCount + 1).activations - memory.activations
    let canvas = tiling.canvas
    let distances = options.fusionDistances
    let others = distances.count + distances.count(where: { $0 <= options.fusionAhead })
    fusion =
      !options.usesFusion
      ? 0
      : networks.fusionByteCount(
        height: canvas.height, width: canvas.width,
        pictures: options.fusionBehind + 1 + options.fusionAhead, others: others,
        histories: options.history > 0 ? 1 : 0)
        + (networks.seesSecondPicture ? 2 : 1) * canvas.frameCount * MemoryLayout<Float>.size
  }

  /// Exact for the tiling that was planned, a guess for others.
  func estimate(_ tiling: Tiling) -> MemoryEstimate {
    let ratio = Double(tiling.pictureCount) / Double(area)
    return MemoryEstimate(
      options, tiling, networks: memory.scaled(by: ratio),
      activationsOfFrame: Int(Double(activationsOfFrame) * ratio), fusion: fusion)
  }
}
