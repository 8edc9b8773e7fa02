/// What is known of the memory of networks that were planned.
struct PlannedMemory {
  private let options: RestorationOptions
  private let area: Int
  private let memory: NetworkMemory
  private let activationsOfFrame: Int

  /// - Parameter tiling: that the networks were planned for.
  init(_ options: RestorationOptions, _ tiling: Tiling, _ networks: any PipelineNetworks) {
    self.options = options
    area = tiling.pictureCount
    memory = networks.memory(sideBySide: options.heldCount)
    activationsOfFrame =
      networks.memory(sideBySide: options.heldCount + 1).activations - memory.activations
  }

  /// Exact for the tiling that was planned, a guess for others.
  func estimate(_ tiling: Tiling) -> MemoryEstimate {
    let ratio = Double(tiling.pictureCount) / Double(area)
    return MemoryEstimate(
      options, tiling, networks: memory.scaled(by: ratio),
      activationsOfFrame: Int(Double(activationsOfFrame) * ratio))
  }
}
