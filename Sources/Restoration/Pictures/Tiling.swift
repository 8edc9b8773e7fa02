/// How a picture is cut into tiles of one size, where it is too large to be restored in one piece,
/// and joined again.
///
/// Tiles overlap, and are blended with weights that change smoothly, in the float picture.
struct Tiling: Sendable, Equatable {
  let canvas: Canvas
  private let rows, columns: Cut

  /// The picture in one piece.
  init(_ canvas: Canvas) {
    self.init(canvas, rows: 1, columns: 1)!
  }

  /// - Returns: nil where tiles would be too small.
  private init?(_ canvas: Canvas, rows: Int, columns: Int) {
    guard let rows = Cut(canvas.paddedHeight, pieces: rows, multiple: canvas.multiple),
      let columns = Cut(canvas.paddedWidth, pieces: columns, multiple: canvas.multiple)
    else { return nil }
    self.canvas = canvas
    self.rows = rows
    self.columns = columns
  }

  /// All ways to cut the picture, that which computes the fewest pixels first.
  static func candidates(_ canvas: Canvas) -> [Tiling] {
    func ways(_ side: Int) -> ClosedRange<Int> { 1...max(1, side / Cut.leastOverlap) }
    let all = ways(canvas.paddedHeight).flatMap { rows in
      ways(canvas.paddedWidth).compactMap { Tiling(canvas, rows: rows, columns: $0) }
    }
    return all.sorted {
      ($0.count * $0.pictureCount, $0.count) < ($1.count * $1.pictureCount, $1.count)
    }
  }

  var count: Int { rows.starts.count * columns.starts.count }
  /// Of a tile.
  var height: Int { rows.length }
  var width: Int { columns.length }
  /// Elements of a tile's picture, [height, width, 3].
  var pictureCount: Int { height * width * 3 }

  /// Where a tile begins in the picture.
  func origin(of tile: Int) -> (y: Int, x: Int) {
    (rows.starts[tile / columns.starts.count], columns.starts[tile % columns.starts.count])
  }

  /// Takes a tile out of a frame of values 0...255, as a picture in [-1, 1].
  func cut(_ tile: Int, from frame: [Float], into picture: inout [Float]) {
    precondition(frame.count == canvas.frameCount && picture.count == pictureCount)
    let origin = origin(of: tile)
    let width = width
    let inside = min(max(canvas.width - origin.x, 0), width)
    frame.withUnsafeBufferPointer { frame in
      picture.withUnsafeMutableBufferPointer { picture in
        let (frame, picture) = (frame.baseAddress!, picture.baseAddress!)
        for y in 0..<height {
          let line = min(origin.y + y, canvas.height - 1) * canvas.width
          let from = frame + (line + origin.x) * 3
          let to = picture + y * width * 3
          for x in 0..<inside * 3 { to[x] = from[x] / 127.5 - 1 }
          let edge = frame + (line + canvas.width - 1) * 3
          for x in inside * 3..<width * 3 { to[x] = edge[x % 3] / 127.5 - 1 }
        }
      }
    }
  }

  /// What each place of each tile counts where tiles are joined: as much as some tiles' pictures,
  /// so that only a tiling in use has it.
  struct Weights: Sendable {
    fileprivate let down, across: [[Float]]
  }

  func weights() -> Weights { Weights(down: rows.weights(), across: columns.weights()) }

  /// Adds a tile to a frame; once all are added, in their order, the frame is whole.
  /// - Parameters:
  ///   - picture: of the tile, in about [-1, 1].
  ///   - weights: the tiling's own.
  ///   - frame: takes values about 0...255, neither rounded nor clamped. Before the first tile it
  ///     may hold anything.
  func add(_ tile: Int, _ picture: [Float], by weights: Weights, to frame: inout [Float]) {
    precondition(frame.count == canvas.frameCount && picture.count == pictureCount)
    let origin = origin(of: tile)
    let (width, isWhole) = (width, count == 1)
    let across = weights.across[tile % columns.starts.count]
    let down = weights.down[tile / columns.starts.count]
    let inside = min(canvas.width - origin.x, width)
    picture.withUnsafeBufferPointer { picture in
      frame.withUnsafeMutableBufferPointer { frame in
        if tile == 0, !isWhole { frame.update(repeating: 0) }
        for y in 0..<min(canvas.height - origin.y, height) {
          let from = picture.baseAddress! + y * width * 3
          let to = frame.baseAddress! + ((origin.y + y) * canvas.width + origin.x) * 3
          if isWhole {
            for x in 0..<inside * 3 { to[x] = (from[x] + 1) * 127.5 }
            continue
          }
          for x in 0..<inside {
            let weight = down[y] * across[x] * 127.5
            for channel in 0..<3 { to[3 * x + channel] += weight * (from[3 * x + channel] + 1) }
          }
        }
      }
    }
  }
}
