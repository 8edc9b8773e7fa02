import TensorCore

/// How much memory a restorer may hold, in bytes.
public struct MemoryLimits: Sendable, Equatable {
  /// Of all that ``MemoryEstimate/total`` counts; nil: whatever it takes.
  public var total: Int?
  /// Of the features that windows read; nil: no other bound than ``total``.
  public var features: Int?
  /// What the program itself takes of the memory that its user allows. ``total`` is what is left,
  /// so this is only for messages, which name the user's number.
  public var beside = 0

  public init(total: Int? = nil, features: Int? = nil) {
    self.total = total
    self.features = features
  }
}

/// What is asked for does not fit the memory that may be used. One line.
public struct InsufficientMemory: Error, Equatable, CustomStringConvertible {
  public let description: String

  /// - Parameters:
  ///   - estimate: of what needs least.
  ///   - options: that need it.
  init(
    _ estimate: MemoryEstimate, _ limits: MemoryLimits, _ canvas: Canvas,
    _ options: RestorationOptions
  ) {
    let size = "\(canvas.width)x\(canvas.height)"
    if let limit = limits.features, estimate.features > limit {
      description =
        "--cache-memory \(ByteCount(limit)): windows over pictures of \(size) read \(ByteCount(estimate.features)) "
        + "of features; give as much, or a smaller --radius or fewer --steps"
    } else {
      let limit = ByteCount(max(limits.total ?? 0, 0))
      let enough = (estimate.total + limits.beside + (1 << 20) - 1) >> 20
      let tiles =
        estimate.tileCount == 1
        ? "in one piece" : "in \(estimate.tileCount) tiles"
      description =
        "not enough memory for pictures of \(size): expected \(ByteCount(estimate.total)) or more for the restorer, even "
        + "\(tiles) (\(estimate.parts)), found \(limit) left of --memory; give \(Self.advice(for: options, enough: "--memory \(enough)M or more"))"
    }
  }

  /// What to give: as much as is needed, or less of what needs it.
  private static func advice(for options: RestorationOptions, enough: String) -> String {
    if options.method == .zeroShot { return "\(enough), a smaller --segment, or smaller frames" }
    let reducible = [
      ("--work-size", options.workSize > 64), ("--fusion", options.fusion > 0),
      ("--history", options.history > 0), ("--chunk", options.chunk != 1),
      ("--lookahead", options.lookahead > 0), ("--radius", options.radius > 0),
      ("--steps", options.steps > 1 && options.radius > 0),
    ].filter(\.1).map(\.0)
    let shorter = reducible.isEmpty ? [] : ["less of \(reducible.joined(separator: ", "))"]
    return ([enough] + shorter).joined(separator: ", or ")
  }
}
