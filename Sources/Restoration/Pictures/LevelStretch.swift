/// A picture whose levels are stretched from black to white, by one gain and one offset for the
/// three colours: what a veil that is the same all over the picture has taken is back in it, if
/// there was black and white behind.
struct LevelStretch {
  /// Of the pixels, one of so many may be darker than black in it, and one brighter than white.
  private static let share = 1000
  /// The least that the two are apart before, of 255: what is hardly there is not made into a
  /// picture.
  private static let leastRange: Float = 25.5
  /// Classes of a level.
  private static let classes = 16

  /// [height, width, 3], 0...255.
  private(set) var picture: [Float]
  /// How many pixels have their darkest colour in a class, and how many their brightest.
  private var darkest = [Int](repeating: 0, count: 255 * classes + 1)
  private var brightest = [Int](repeating: 0, count: 255 * classes + 1)

  /// - Parameter frameCount: elements of a frame.
  init(frameCount: Int) { picture = Array(repeating: 0, count: frameCount) }

  static func byteCount(frameCount: Int) -> Int {
    frameCount * MemoryLayout<Float>.size + 2 * (255 * classes + 1) * MemoryLayout<Int>.size
  }

  /// - Parameter rgb: [height, width, 3], about 0...255.
  mutating func take(_ rgb: [Float]) {
    for index in darkest.indices { (darkest[index], brightest[index]) = (0, 0) }
    for pixel in stride(from: 0, to: rgb.count, by: 3) {
      let (red, green, blue) = (rgb[pixel], rgb[pixel + 1], rgb[pixel + 2])
      darkest[Self.level(min(red, green, blue))] += 1
      brightest[Self.level(max(red, green, blue))] += 1
    }
    let beyond = rgb.count / 3 / Self.share
    let black = Self.level(after: beyond, in: darkest)
    let white = 255 - Self.level(after: beyond, in: brightest.reversed())
    let gain = 255 / max(white - black, Self.leastRange)
    for index in rgb.indices {
      picture[index] = min(max((rgb[index] - black) * gain, 0), 255)
    }
  }

  /// The class that a level falls into.
  private static func level(_ value: Float) -> Int {
    Int(min(max(value, 0), 255) * Float(classes) + 0.5)
  }

  /// The level of the first class with which there are more than so many.
  private static func level(after count: Int, in numbers: some Sequence<Int>) -> Float {
    var passed = 0
    for (index, number) in numbers.enumerated() {
      passed += number
      if passed > count { return Float(index) / Float(classes) }
    }
    return 255
  }
}
