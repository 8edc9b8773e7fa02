import ModelFiles

/// A named set of option values. Options given by hand win over it.
///
/// Which steps and frames do is a matter of the model: it may say so itself (`presets.json`, see
/// tdm-model(5)). For one that says nothing nobody has measured it, and `balanced` then takes the
/// paper's.
public enum Preset: String, CaseIterable, Sendable {
  /// The paper's own numbers.
  case paper
  /// For files: the best that the model is made for.
  case balanced
  /// For cameras: waits for no later frame, few moves each way.
  case live

  /// For a model that says nothing of its own.
  public var values: PresetValues {
    switch self {
    case .paper, .balanced: PresetValues(inversionSteps: 10, steps: 32, chunk: 4, lookahead: 3)
    case .live: PresetValues(inversionSteps: 2, steps: 4, chunk: 1, lookahead: 0)
    }
  }

  /// For this model and a task: what the model says itself, or the one within it that runs the task
  /// in its place.
  public func values(
    for model: ModelFolder, task: RestorationTask
  ) throws(ModelError) -> PresetValues {
    var models: [RestorationTask: String] = [:]
    for (name, folder) in try model.presets()[rawValue]?.taskModel ?? [:] {
      models[try self.task(name, of: "task_model", model)] = folder
    }
    // A ControlNet that was given steers the model that it was given with.
    guard let inner = models[task], !model.hasSeparateControlNet else {
      return try ownValues(of: model)
    }
    var values = try ownValues(of: model.inner(inner))
    values.innerModel = inner
    return values
  }

  /// What the preset stands for with this model and a task.
  public func options(
    for model: ModelFolder, task: RestorationTask = .denoise
  ) throws(ModelError) -> RestorationOptions {
    RestorationOptions(try values(for: model, task: task), task: task)
  }

  /// For this model's own networks, whatever the task. Tasks that another within it runs have other
  /// values: ``values(for:task:)``.
  public func ownValues(of model: ModelFolder) throws(ModelError) -> PresetValues {
    var values = values
    let own = try model.presets()[rawValue]
    values.inversionSteps = own?.inversionSteps ?? values.inversionSteps
    values.steps = own?.steps ?? values.steps
    values.strength = own?.strength ?? values.strength
    values.radius = own?.radius ?? values.radius
    for (name, radius) in own?.taskRadius ?? [:] {
      values.taskRadius[try task(name, of: "task_radius", model)] = radius
    }
    values.workSize = own?.workSize ?? values.workSize
    for (name, size) in own?.taskWorkSize ?? [:] {
      values.taskWorkSize[try task(name, of: "task_work_size", model)] = size
    }
    values.fusion = own?.fusion ?? values.fusion
    for (name, fusion) in own?.taskFusion ?? [:] {
      let task = try task(name, of: "task_fusion", model)
      guard fusion <= task.mostFusion else {
        throw ModelError(
          "\(model.name): presets.json: \(rawValue): task_fusion: \(name): expected 0 to "
            + "\(task.mostFusion), found \(fusion)")
      }
      values.taskFusion[task] = fusion
    }
    for (name, isEven) in own?.taskEvenVeil ?? [:] {
      values.taskEvenVeil[try task(name, of: "task_even_veil", model)] = isEven
    }
    values.history = own?.history ?? values.history
    values.chunk = own?.chunk ?? values.chunk
    values.lookahead = own?.lookahead ?? values.lookahead
    values.controlScale = own?.controlScale ?? values.controlScale
    return values
  }

  /// What a model means by a task's name.
  private func task(
    _ name: String, of key: String, _ model: ModelFolder
  ) throws(ModelError) -> RestorationTask {
    if let task = RestorationTask(rawValue: name) { return task }
    let tasks = RestorationTask.allCases.map(\.rawValue).joined(separator: ", ")
    throw ModelError(
      "\(model.name): presets.json: \(rawValue): \(key): expected some of \(tasks), "
        + "found \"\(name)\"")
  }
}

/// What a preset stands for.
public struct PresetValues: Sendable, Equatable {
  /// ``RestorationOptions/innerModel``.
  public var innerModel: String?
  /// Moves of the DDIM inversion; 0 takes a frame's latent as it is for the noisiest level.
  public var inversionSteps: Int
  /// Moves of the DDIM sampling.
  public var steps: Int
  /// The share of the noise levels that is gone through.
  public var strength = 1.0
  /// Frames on either side that a frame reads.
  public var radius = 3
  /// The same for tasks that have another.
  public var taskRadius: [RestorationTask: Int] = [:]
  /// Frames on either side that a frame is averaged with before the networks see it, for tasks that
  /// gain by it (``RestorationTask/isFusedByPreset``).
  public var fusion = 0
  /// The same for tasks that have another, or are fused only where a model says so.
  public var taskFusion: [RestorationTask: Int] = [:]
  /// As how many earlier frames their mean counts at most where a frame stands still, for tasks
  /// that gain by it (``RestorationTask/isFusedByPreset``).
  public var history = 0
  /// Frames emitted together.
  public var chunk: Int
  /// Frames sampled beyond the chunk.
  public var lookahead: Int
  /// The longest side at which frames are restored: ``RestorationOptions/workSize``.
  public var workSize = 0
  /// The same for tasks that have another.
  public var taskWorkSize: [RestorationTask: Int] = [:]
  /// Whether a task's veils may be even: ``RestorationOptions/evenVeil``.
  public var taskEvenVeil: [RestorationTask: Bool] = [:]
  /// Factor of the ControlNet's residuals; 0 leaves the network out.
  public var controlScale = 1.0

  /// For help texts: `--inversion-steps 10 --steps 32 --strength 1 --radius 3 --fusion 0 --history
  /// 0 --chunk 4 --lookahead 3`, and a work size and the ControlNet's scale where they are not as
  /// usual; behind radius, fusion and work size those of tasks that have another.
  public var summary: String {
    let share = strength.shortest
    func others(_ values: [RestorationTask: Int]) -> String {
      if values.isEmpty { return "" }
      let list = RestorationTask.allCases.compactMap { task in
        values[task].map { "\(task.rawValue): \($0)" }
      }
      return " (\(list.joined(separator: ", ")))"
    }
    let size =
      workSize == 0 && taskWorkSize.isEmpty
      ? "" : " --work-size \(workSize)\(others(taskWorkSize))"
    return "--inversion-steps \(inversionSteps) --steps \(steps) --strength \(share)"
      + " --radius \(radius)\(others(taskRadius)) --fusion \(fusion)\(others(taskFusion))"
      + " --history \(history)"
      + " --chunk \(chunk) --lookahead \(lookahead)"
      + size + (controlScale == 1 ? "" : " --control-scale \(controlScale.shortest)")
  }
}

extension Double {
  /// Without the ".0" of a whole number.
  package var shortest: String {
    let text = "\(self)"
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }
}
