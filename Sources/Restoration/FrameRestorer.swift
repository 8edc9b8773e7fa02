import Kernels
import ModelFiles

/// Restores a stream of frames, by whichever method: one out for each in, in the same order. One
/// thread at a time, the device's.
///
/// After an error other than ``RefusedChange`` nothing of it may be called any more. Where the
/// system has no memory for what was planned the program ends (`AlignedMemory.whenRefused`).
public protocol FrameRestorer: AnyObject {
  var options: RestorationOptions { get }
  /// Said before the first frame.
  var memory: MemoryEstimate { get }
  var statistics: RestorationStatistics { get }
  /// Called after each evaluation of a network, by the thread that pushes.
  var onEvaluation: (() -> Void)? { get set }

  /// Takes the next frame, and gives those that are done.
  /// - Parameters:
  ///   - rgb: [height, width, 3], as many as the frames that it was made for have; finite numbers,
  ///     0...255.
  ///   - emit: takes a restored frame of the same shape, about 0...255, neither rounded nor
  ///     clamped. An error ends the restoration.
  /// - Throws: `ModelError` where networks make other than finite numbers, as of a frame that has
  ///   others; `KernelError` where the device fails; what `emit` throws.
  func push(_ rgb: [Float], emit: ([Float]) throws -> Void) throws

  /// Gives the frames that are left. What is pushed afterwards belongs to another clip.
  /// - Throws: as ``push(_:emit:)``.
  func finish(emit: ([Float]) throws -> Void) throws

  /// Has networks run once. No result depends on it.
  /// - Precondition: no frame has been pushed.
  /// - Throws: as ``push(_:emit:)``.
  func warmUp() throws

  /// Measures each stage on blank frames. No result depends on it.
  /// - Precondition: no frame has been pushed.
  /// - Throws: as ``push(_:emit:)``.
  func rehearse() throws -> Rehearsal

  /// - Throws: where the options could not be changed to these: ``OptionError``,
  ///   ``InsufficientMemory``, and where another model's networks are planned for it `ModelError`
  ///   and `KernelError`.
  func check(_ options: RestorationOptions, limits: MemoryLimits?) throws

  /// Gives the frames that are left, and restores those that follow by other options.
  /// - Throws: ``RefusedChange`` where the former ones stay; every other error ends the
  ///   restoration.
  func change(
    to options: RestorationOptions, limits: MemoryLimits?, emit: ([Float]) throws -> Void
  ) throws
}

/// Options could not be changed: those in effect stay, and the restoration goes on.
public struct RefusedChange: Error, CustomStringConvertible {
  public let reason: any Error
  public var description: String { "\(reason)" }

  /// What a body throws is why.
  static func because<R>(of body: () throws -> R) throws(RefusedChange) -> R {
    do { return try body() } catch { throw RefusedChange(reason: error) }
  }
}

extension RestorationOptions {
  /// Loads a model and makes everything ready for frames of one size.
  /// - Parameters:
  ///   - model: ``RestorationOptions/innerModel`` lies within it.
  ///   - width: of the frames that are pushed, in pixels, 1 or more: of the source times the task's
  ///     ``RestorationTask/enlargement``.
  ///   - height: likewise.
  ///   - limits: of memory; pictures that do not fit are restored in tiles.
  /// - Throws: ``OptionError`` where an option is out of its range or does not suit the model;
  ///   `ModelError` where the model is missing or unfit; `KernelError` where the device cannot run
  ///   it; ``InsufficientMemory`` where not even tiles fit.
  public func makeRestorer(
    model: ModelFolder, width: Int, height: Int, device: any Device,
    limits: MemoryLimits = MemoryLimits()
  ) throws -> any FrameRestorer {
    switch method {
    case .tdm:
      try TDMRestorer(
        model: model, options: self, width: width, height: height, device: device, limits: limits)
    case .zeroShot:
      try ZeroShotDerainer(
        model: model, options: self, width: width, height: height, device: device, limits: limits)
    }
  }
}
