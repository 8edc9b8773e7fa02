/// Has what is wrong with pictures of one size mended in smaller ones: reduces them, and carries
/// over what was changed there.
///
/// Carried over is, for each place, the gain and what is added to each colour that lead from the
/// reduced picture as it was to what it became. So the picture keeps all its detail, and what can't
/// be said so, as the removal of what is small, is lost: this is for haze, and the like. Both are
/// averaged with those of the pictures before, about ten, where what is seen there is alike: haze
/// stands still, and networks do not find the same of it in every frame.
///
/// Reference: the fast guided filter (He, Sun, arXiv 1505.00996).
public protocol GuidedTransfer: AnyObject {
  /// Of reduced pictures, [height, width, 3].
  var reducedCount: Int { get }

  /// - Parameters:
  ///   - picture: [height, width, 3], 0...255.
  ///   - reduced: takes the means over its pixels' areas.
  func reduce(_ picture: [Float], into reduced: inout [Float])

  /// Pictures follow each other in time.
  /// - Parameters:
  ///   - guide: a reduced picture as it was.
  ///   - target: what became of it.
  ///   - picture: it was reduced from this one, which is changed alike.
  func carryOver(from guide: [Float], to target: [Float], into picture: inout [Float])

  /// What is carried over next is of another scene.
  func forget()
}
