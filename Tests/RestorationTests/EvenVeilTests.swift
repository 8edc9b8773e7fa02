import Testing

@testable import Restoration

@Suite("An even veil")
struct EvenVeilTests {
  private let frame: [Float] = (0..<60 * 40 * 3).map { 118 + 0.45 * Float(($0 * 7919) % 256) }
  private var affine: [Float] { frame.map { 1.9 * $0 - 160 } }

  /// Thicker to the right.
  private var uneven: [Float] {
    frame.enumerated().map { index, value in value - Float(index / 3 % 60) * 2 }
  }

  /// Whether the stretched picture is given where networks change it by so much.
  private func isEven(
    _ veil: EvenVeil, restoredTo other: [Float], stretchedChangesBy change: Float
  ) -> Bool {
    var levels = LevelStretch(frameCount: frame.count)
    levels.take(frame)
    var given = other
    veil.lift(from: &given, of: frame) { picture, restored in
      #expect(picture == levels.picture)
      restored = picture.map { $0 + change }
    }
    #expect(given == levels.picture || given == other)
    return given == levels.picture
  }

  @Test("is one where networks see a gain and an offset, and nothing in the stretched picture")
  func told() {
    for (other, change, expected) in [
      (affine, Float(0), true), (affine, 0.9, true), (affine, 1.2, false), (affine, 30, false),
      (frame, 0, false), (frame.map { $0 + 0.5 }, 0, false), (uneven, 0, false),
    ] {
      let veil = EvenVeil(frameCount: frame.count)
      let found = isEven(veil, restoredTo: other, stretchedChangesBy: change)
      #expect(found == expected)
    }
  }

  @Test("is believed in a little longer than it is found, within a scene")
  func held() {
    let veil = EvenVeil(frameCount: frame.count)
    let steps: [(other: [Float], change: Float, expected: Bool)] = [
      (affine, 1.2, false), (affine, 0, true), (affine, 1.2, true), (uneven, 0, false),
      (affine, 1.2, false), (affine, 0, true),
    ]
    for (other, change, expected) in steps {
      let found = isEven(veil, restoredTo: other, stretchedChangesBy: change)
      #expect(found == expected)
    }
    veil.forget()
    let found = isEven(veil, restoredTo: affine, stretchedChangesBy: 1.2)
    #expect(!found)
  }
}
