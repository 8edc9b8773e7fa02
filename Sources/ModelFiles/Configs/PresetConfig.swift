import StrictJSON

/// What a model says of the presets: `presets.json`, by the preset's name.
///
/// Values that were found by measuring this model; what is not given is the program's own.
public struct PresetConfig: Sendable, Equatable {
  public var inversionSteps, steps: Int?
  public var radius, fusion, history, chunk, lookahead: Int?
  /// The longest side, in pixels, at which frames are restored; 0: their own.
  public var workSize: Int?
  /// The radius of tasks that have another, by their names.
  public var taskRadius: [String: Int] = [:]
  /// The fusion of tasks that have another, or are fused only where this says so, by their names.
  public var taskFusion: [String: Int] = [:]
  /// Whether veils may be even of tasks of which this says so, by their names.
  public var taskEvenVeil: [String: Bool] = [:]
  /// The work size of tasks that have another, by their names.
  public var taskWorkSize: [String: Int] = [:]
  /// The folders, within this model's, of models that run tasks in its place, by the tasks' names.
  public var taskModel: [String: String] = [:]
  /// Above 0, at most 1.
  public var strength: Double?
  /// Of the ControlNet's residuals, 0...10; with 0 the model needs none.
  public var controlScale: Double?

  static let fileName = "presets.json"
  private static let keys: Set = [
    "inversion_steps", "steps", "strength", "radius", "task_radius", "fusion", "task_fusion",
    "history", "chunk", "lookahead", "work_size", "task_work_size", "task_model", "task_even_veil",
    "control_scale",
  ]

  init(_ reader: ConfigReader) throws(ModelError) {
    if let key = reader.members.keys.sorted().first(where: { !Self.keys.contains($0) }) {
      throw ModelError(
        "\(reader.file): \(key.quoted): expected \(ConfigReader.list(Self.keys.sorted())), "
          + "and no other key")
    }
    func number(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int? {
      reader.members[key] == nil ? nil : try reader.int(key, default: 0, in: range)
    }
    inversionSteps = try number("inversion_steps", in: 0...1000)
    steps = try number("steps", in: 1...1000)
    func byTask(_ key: String, _ what: String) throws(ModelError) -> ConfigReader {
      let value = reader.members[key] ?? .object([:])
      guard let members = value.object else {
        throw reader.error(key, expected: "an object of \(what) by their tasks")
      }
      return ConfigReader(file: "\(reader.file): \(key)", members: members)
    }
    func numbers(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> [String: Int] {
      let tasks = try byTask(key, "numbers")
      var numbers: [String: Int] = [:]
      for task in tasks.members.keys { numbers[task] = try tasks.int(task, default: 0, in: range) }
      return numbers
    }
    radius = try number("radius", in: 0...64)
    taskRadius = try numbers("task_radius", in: 0...64)
    workSize = try number("work_size", in: 0...16384)
    taskWorkSize = try numbers("task_work_size", in: 0...16384)
    for (key, sizes) in [
      ("work_size", [workSize ?? 0]), ("task_work_size", Array(taskWorkSize.values)),
    ] where sizes.contains(where: { (1..<64).contains($0) }) {
      throw reader.error(key, expected: "64 to 16384 pixels, or 0 for the frames' own size")
    }
    let veils = try byTask("task_even_veil", "true and false")
    for task in veils.members.keys { taskEvenVeil[task] = try veils.bool(task, default: false) }
    let models = try byTask("task_model", "folders")
    for (task, value) in models.members {
      // A folder beside the parts' ones: nothing outside of the model is reached.
      guard let folder = value.string, !folder.isEmpty, !folder.hasPrefix("."),
        !folder.contains("/")
      else { throw models.error(task, expected: "the name of a folder within the model's") }
      taskModel[task] = folder
    }
    fusion = try number("fusion", in: 0...5)
    taskFusion = try numbers("task_fusion", in: 0...16)
    history = try number("history", in: 0...1000)
    chunk = try number("chunk", in: 0...4096)
    lookahead = try number("lookahead", in: 0...4096)
    if reader.members["strength"] != nil {
      let value = try reader.double("strength", default: 1, atLeast: 0)
      guard value > 0, value <= 1 else {
        throw reader.error("strength", expected: "a number above 0, at most 1")
      }
      strength = value
    }
    if reader.members["control_scale"] != nil {
      let value = try reader.double("control_scale", default: 1, atLeast: 0)
      guard value <= 10 else {
        throw reader.error("control_scale", expected: "a number from 0 to 10")
      }
      controlScale = value
    }
  }
}

extension ModelFolder {
  /// What the model says of the presets, by name; nothing where it has no `presets.json`.
  public func presets() throws(ModelError) -> [String: PresetConfig] {
    guard let file = try rootFile(PresetConfig.fileName) else { return [:] }
    var presets: [String: PresetConfig] = [:]
    for (name, value) in try file.object() {
      guard let members = value.object else {
        throw ModelError("\(file.name): \(name.quoted): expected an object, found \(value.summary)")
      }
      presets[name] = try PresetConfig(
        ConfigReader(file: "\(file.name): \(name)", members: members))
    }
    return presets
  }
}
