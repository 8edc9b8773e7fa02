/// What is wrong with the frames. The model is told by the task's prompt ("task prompt guidance").
///
/// Reference: TDM, section 3.2; the prompts of the last three tasks follow the form of the paper's
/// two.
public enum RestorationTask: String, CaseIterable, Sendable {
  case denoise, derain, dehaze, deartifact, superres

  public var prompt: String {
    switch self {
    case .denoise: "remove the noise"
    case .derain: "remove the rain"
    case .dehaze: "remove the fog"
    case .deartifact: "remove the compression artifacts"
    case .superres: "recover the high resolution details"
    }
  }

  /// Other names for it on the command line.
  public var aliases: [String] {
    switch self {
    case .deartifact: ["mp4"]
    case .superres: ["sr"]
    case .denoise, .derain, .dehaze: []
    }
  }

  /// How many times wider and higher the output is than the source. Whoever feeds a
  /// ``FrameRestorer`` enlarges the frames bicubically by this factor first: `BicubicEnlargement`,
  /// in `Video`.
  public var enlargement: Int { self == .superres ? 4 : 1 }

  /// Whether frames are fused as a preset says of all tasks, and with a history: noise is new in
  /// every frame, and those averaged have less of it whatever the networks were trained for. Of
  /// other tasks a model has to say so (``PresetValues/taskFusion``).
  public var isFusedByPreset: Bool { self == .denoise }

  /// The deviation of what is wrong where it can't be measured, of 255 levels. Chosen by measuring.
  ///
  /// Compression takes away the fine noise that the measurement goes by, and frames that were
  /// encoded by themselves differ most where most is wrong with them. Small pictures show the same
  /// detail at other phases, so that enlarged ones differ by more than noise where there is most to
  /// be gained.
  public var fusionNoise: Double {
    switch self {
    case .deartifact: 15
    case .superres: 20
    case .denoise, .derain, .dehaze: 0
    }
  }

  /// Whether frames are fused by rank, not averaged: what is wrong is brighter than what it hides.
  var isFusedByRank: Bool { self == .derain }

  /// Whether networks that see two pictures restore the frame as it came, and are shown the fused
  /// one beside it: where the motion was not found it has lost more than rain, or is a blur.
  var isFusedBeside: Bool { self == .derain || self == .superres || self == .deartifact }

  /// The most frames on either side that one may be fused with: those at most 16 away.
  var mostFusion: Int { isFusedByRank ? 16 : 5 }

  /// How far from a frame those are that it is fused with on either side, nearest first.
  ///
  /// Of those that are averaged each is twice as far away as the one before: what an encoder made
  /// of a frame, and of its noise, it copies into the next ones, so that those farther away tell
  /// more.
  /// - Parameter count: of them.
  func fusionDistances(_ count: Int) -> [Int] {
    (0..<count).map { isFusedByRank ? $0 + 1 : 1 << $0 }
  }

  /// The task with this name or alias.
  public init?(name: String) {
    guard
      let task = Self.allCases.first(where: { $0.rawValue == name || $0.aliases.contains(name) })
    else { return nil }
    self = task
  }
}
