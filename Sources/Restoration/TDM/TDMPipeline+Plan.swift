import Diffusion
import Kernels
import ModelFiles

extension TDMPipeline {
  /// All that a pipeline is made of, before it has a frame to hold.
  struct Plan {
    let schedule: NoiseSchedule
    let options: RestorationOptions
    let memory: MemoryPlan

    var networks: any PipelineNetworks { memory.networks }
    var estimate: MemoryEstimate { memory.estimate }
  }

  /// Plans a pipeline.
  /// - Parameter replacedWeights: bytes of the weights on the device that will go first.
  /// - Throws: what keeps it from being made.
  static func plan(
    model: ModelFolder, options: RestorationOptions, width: Int, height: Int, device: any Device,
    limits: MemoryLimits, replacedWeights: Int = 0
  ) throws -> Plan {
    let model = try LoadedModel(model, options: options, on: device)
    let canvas = Canvas(height: height, width: width, multiple: model.pictureMultiple)
    let memory = try MemoryPlan(options, canvas, limits) { tiling in
      try ModelNetworks(
        model, options: options, height: tiling.height, width: tiling.width, on: device,
        replacedWeights: replacedWeights)
    }
    return Plan(schedule: model.schedule, options: options, memory: memory)
  }

  /// Loads a model and makes everything ready for frames of one size, whatever work size the
  /// options give: see ``RestorationOptions/makeRestorer(model:width:height:device:limits:)``.
  convenience init(
    model: ModelFolder, options: RestorationOptions, width: Int, height: Int, device: any Device,
    limits: MemoryLimits = MemoryLimits()
  ) throws {
    try self.init(
      Self.plan(
        model: model, options: options, width: width, height: height, device: device,
        limits: limits))
  }

  /// - Throws: ``OptionError`` where an option does not suit the model's noise schedule;
  ///   ``InsufficientMemory``.
  convenience init(
    schedule: NoiseSchedule, options: RestorationOptions, canvas: Canvas,
    limits: MemoryLimits = MemoryLimits(),
    makeNetworks: (Tiling) throws -> any PipelineNetworks
  ) throws {
    try options.validate()
    try options.validate(for: schedule)
    let memory = try MemoryPlan(options, canvas, limits, makeNetworks: makeNetworks)
    try self.init(Plan(schedule: schedule, options: options, memory: memory))
  }
}
