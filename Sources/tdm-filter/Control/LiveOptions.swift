import ControlProtocol
import ModelFiles
import Restoration

/// The options in effect, and the changes that wait for their frame.
///
/// A change is what the same options on the command line would be: a task's prompt gives way to one
/// that was given, a preset's values to those given by hand.
struct LiveOptions {
  /// Changes that may wait at a time.
  private static let mostPending = 64

  /// What the command line would be now.
  private var settings: Settings
  private let model: ModelFolder
  /// What each stands for with the model, for the tasks.
  private let presets: [Preset: [RestorationTask: PresetValues]]
  private var pending: [(change: OptionChange, accepted: AcceptedChange)] = []

  /// - Parameter model: where clients may change options, all models within it that may then be run
  ///   have to be there, and their files are opened: later nothing may be.
  init(_ settings: Settings, for model: ModelFolder) throws(ModelError) {
    let isFixed = !settings.isChangeable
    var presets: [Preset: [RestorationTask: PresetValues]] = [:]
    var inner: Set<String> = []
    for preset in isFixed ? [settings.preset] : Preset.allCases {
      for task in isFixed ? [settings.task] : RestorationTask.allCases {
        let values = try preset.values(for: model, task: task)
        presets[preset, default: [:]][task] = values
        if let folder = values.innerModel { inner.insert(folder) }
      }
    }
    if !isFixed {
      model.openFiles()
      for folder in inner { try model.inner(folder).openFiles() }
    }
    self.settings = settings
    self.model = model
    self.presets = presets
  }

  var preset: Preset { settings.preset }
  var options: RestorationOptions { options(of: settings) }
  /// What speaks against what is in effect.
  var doubts: [String] { (try? settings.doubts(about: options.model(within: model))) ?? [] }
  /// The first to come into effect first.
  var accepted: [AcceptedChange] { pending.map(\.accepted) }

  /// Takes a change if it can be carried out.
  /// - Parameters:
  ///   - next: the number of the next frame that will be restored.
  ///   - check: throws where the options do not suit the model.
  mutating func accept(
    _ change: OptionChange, next: Int, check: (RestorationOptions) throws -> Void
  ) throws(Refusal) -> AcceptedChange {
    guard pending.count < Self.mostPending else {
      throw Refusal(.busy, "\(pending.count) changes wait for their frames already")
    }
    guard options.method == .tdm || change.isForAnyMethod else {
      throw Refusal(
        .invalidValue,
        "with --method \(options.method.rawValue) only guidance and amount can be changed while it runs"
      )
    }
    let frame = max(change.atFrame ?? next, next)
    // Later ones stay as they were asked for: they come on top of this one.
    let place = pending.firstIndex { $0.accepted.effectiveFrame > frame } ?? pending.count
    var trial = pending
    trial.insert(
      (change, AcceptedChange(effectiveFrame: frame, preset: preset, options: options)), at: place)
    var settings = self.settings
    for (index, entry) in trial.enumerated() {
      settings = settings.applying(entry.change)
      let options = self.options(of: settings)
      // What was found to be possible stays so.
      if index == place || options != entry.accepted.options {
        guard options.task.enlargement == self.options.task.enlargement else {
          throw Refusal(
            .sizeChange,
            "task \(options.task.rawValue): the output would be \(options.task.enlargement) times the input's size, and is "
              + "\(self.options.task.enlargement) times; start another program for it")
        }
        do { try check(options) } catch { throw Refusal(.invalidValue, "\(error)") }
      }
      trial[index].accepted = AcceptedChange(
        effectiveFrame: entry.accepted.effectiveFrame, preset: settings.preset, options: options)
    }
    pending = trial
    return trial[place].accepted
  }

  /// Brings into effect what is due before a frame.
  /// - Returns: nil where nothing is.
  mutating func change(before frame: Int) -> AcceptedChange? {
    guard let first = pending.first, first.accepted.effectiveFrame <= frame else { return nil }
    for (change, accepted) in pending where accepted.effectiveFrame <= frame {
      settings = settings.applying(change)
    }
    forget(before: frame)
    return AcceptedChange(effectiveFrame: frame, preset: preset, options: options)
  }

  /// Drops what is due before a frame; what comes later is told anew, on top of what is in effect.
  mutating func forget(before frame: Int) {
    pending.removeAll { $0.accepted.effectiveFrame <= frame }
    var settings = self.settings
    for (index, entry) in pending.enumerated() {
      settings = settings.applying(entry.change)
      pending[index].accepted = AcceptedChange(
        effectiveFrame: entry.accepted.effectiveFrame, preset: settings.preset,
        options: options(of: settings))
    }
  }

  private func options(of settings: Settings) -> RestorationOptions {
    settings.options(over: presets[settings.preset]![settings.task]!)
  }
}
