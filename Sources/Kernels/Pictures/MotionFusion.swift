/// Averages pictures of one size with their neighbours in time, each pixel with what it shows in
/// them, where they differ by no more than noise does.
///
/// From each neighbour's pyramid and the picture's own comes the motion (dense inverse search,
/// arXiv 1603.03590, patches of 8 x 8 from a 32nd of the size up to half); along it the neighbour
/// is interpolated. Its difference from the picture in light and colours, blurred, squared and
/// blurred again, is held against what noise makes of it, and what is beyond counts less and less:
/// `exp(-(d / e - 1))`. So does what the first blur takes of the difference, where fine
/// texture would be averaged away: `exp(-2 (d / e - 1 - (noise / 7)^2))`. Colours have a weight of
/// their own, by their differences alone.
///
/// Of rain the mean would keep a share of each streak. A picture is fused by rank instead: of each
/// pixel, along the motion, the second darkest.
///
/// What stands still has more neighbours than motion can be followed through: their mean at the
/// same place, a ``FusionHistory``, counts as much as it can be believed.
public protocol MotionFusion: AnyObject {
  func makePicture() -> any FusionPicture

  /// Makes a history of nothing.
  func makeHistory() -> any FusionHistory

  /// Takes a picture's pixels, [height, width, 3], 0...255.
  func load(_ rgb: [Float], into picture: any FusionPicture)

  /// Gives a picture's pixels as they were taken.
  func store(_ picture: any FusionPicture, into rgb: inout [Float])

  /// Averages one of the pictures with all others.
  /// - Parameters:
  ///   - pictures: of this object's making.
  ///   - place: of the one among them.
  ///   - noise: the standard deviation, of 255 levels, that it is taken to have where it is found
  ///     to have less, by itself and held against the others.
  ///   - history: of this object's making, and of pictures that come before these; it loses what it
  ///     does not share with them.
  ///   - fused: takes [height, width, 3].
  func fuse(
    _ pictures: [any FusionPicture], at place: Int, noise: Float, history: (any FusionHistory)?,
    into fused: inout [Float])

  /// Gives of each pixel the second darkest of one of the pictures and all others, as far as the
  /// darkest is like it; else the picture's own, which it is where there are fewer than two others.
  /// - Parameters:
  ///   - pictures: of this object's making.
  ///   - place: of the one among them.
  ///   - fused: takes [height, width, 3].
  func fuseByRank(_ pictures: [any FusionPicture], at place: Int, into fused: inout [Float])

  /// Takes a picture of this object's making into a history.
  /// - Parameter most: pictures that the history counts as, at most.
  func take(_ picture: any FusionPicture, into history: any FusionHistory, most: Int)

  /// Makes it a history of nothing.
  func clear(_ history: any FusionHistory)
}

/// A picture as a ``MotionFusion`` keeps it.
public protocol FusionPicture: AnyObject {}

/// The mean of earlier pictures, and how many it is worth at each pixel, as a ``MotionFusion``
/// keeps it.
public protocol FusionHistory: AnyObject {}
