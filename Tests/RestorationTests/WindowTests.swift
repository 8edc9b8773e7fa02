import Kernels
import Testing

@testable import Restoration

@Suite struct WindowTests {
  private func window(_ change: (inout RestorationOptions) -> Void) throws -> Window {
    var options = RestorationOptions()
    change(&options)
    return try #require(Window(options))
  }

  @Test("There is no window at radius 0 or where frames read themselves")
  func noWindow() {
    var options = RestorationOptions()
    options.radius = 0
    #expect(Window(options) == nil)
    options = RestorationOptions()
    options.attention = .self
    #expect(Window(options) == nil)
  }

  @Test("Frames read those within the radius, in the clip's order, from the cache or beside them")
  func sources() throws {
    let window = try window { $0.radius = 2 }
    // Frames 3, 4 and 5, after 0, 1 and 2; frame n lies in slot n % 2.
    #expect(
      window.sources(for: 3..<6, scene: 0) == [
        [
          .cached(slot: 1, offset: -2), .cached(slot: 0, offset: -1), .member(0, offset: 0),
          .member(1, offset: 1), .member(2, offset: 2),
        ],
        [
          .cached(slot: 0, offset: -2), .member(0, offset: -1), .member(1, offset: 0),
          .member(2, offset: 1),
        ],
        [.member(0, offset: -2), .member(1, offset: -1), .member(2, offset: 0)],
      ])
    #expect(
      window.sources(for: 0..<2, scene: 0) == [
        [.member(0, offset: 0), .member(1, offset: 1)],
        [.member(0, offset: -1), .member(1, offset: 0)],
      ])
  }

  @Test("Nothing is read from before the scene")
  func scenes() throws {
    let window = try window { $0.radius = 2 }
    #expect(window.sources(for: 3..<4, scene: 3) == [[.member(0, offset: 0)]])
    #expect(
      window.sources(for: 4..<5, scene: 3) == [
        [.cached(slot: 1, offset: -1), .member(0, offset: 0)]
      ])
  }

  @Test("The last `radius` frames of a core are kept, each in the place of one that is done with")
  func stores() throws {
    let window = try window { $0.radius = 3 }
    #expect(window.slotCount == 3)
    #expect(window.stores(of: 4..<9, scene: 0).map(\.member) == [2, 3, 4])
    #expect(window.stores(of: 4..<9, scene: 0).map(\.slot) == [0, 1, 2])
    #expect(window.stores(of: 7..<8, scene: 0).map(\.slot) == [1])
  }

  @Test("With the first frame as reference, one frame is read and kept")
  func anchor() throws {
    let window = try window { $0.attention = .first }
    #expect(window.slotCount == 1)
    #expect(
      window.sources(for: 4..<6, scene: 4) == [
        [.member(0, offset: 0)], [.member(0, offset: -1)],
      ])
    #expect(
      window.sources(for: 6..<8, scene: 4) == [
        [.cached(slot: 0, offset: -2)], [.cached(slot: 0, offset: -3)],
      ])
    #expect(window.stores(of: 4..<6, scene: 4).map(\.member) == [0])
    #expect(window.stores(of: 6..<8, scene: 4).isEmpty)
  }
}
