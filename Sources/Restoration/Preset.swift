/// A named set of option values. Options given by hand win over it.
public enum Preset: String, CaseIterable, Sendable {
  /// The paper's own numbers.
  case paper
  /// The fewest steps that measure no worse.
  case balanced
  /// Keeps up with a camera: causal, one move each way.
  case live

  /// Moves of the DDIM inversion.
  public var inversionSteps: Int {
    switch self {
    case .paper: 10
    case .balanced: 2
    case .live: 1
    }
  }

  /// Moves of the DDIM sampling.
  public var steps: Int {
    switch self {
    case .paper: 32
    case .balanced: 4
    case .live: 1
    }
  }

  /// Frames on either side whose features are read.
  public var radius: Int { 3 }

  /// Frames emitted together.
  public var chunk: Int { self == .live ? 1 : 4 }

  /// Frames sampled beyond the chunk.
  public var lookahead: Int { self == .live ? 0 : 3 }

  /// For help texts: `--inversion-steps 10 --steps 32 --radius 3 --chunk 4 --lookahead 3`.
  public var summary: String {
    "--inversion-steps \(inversionSteps) --steps \(steps) --radius \(radius) --chunk \(chunk)"
      + " --lookahead \(lookahead)"
  }
}
