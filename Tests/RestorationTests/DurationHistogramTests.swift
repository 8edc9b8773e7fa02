import Restoration
import Testing

@Suite("A histogram of durations")
struct DurationHistogramTests {
  @Test("has no quantiles while it is empty")
  func empty() { #expect(DurationHistogram().quantile(0.5) == nil) }

  @Test(
    "tells quantiles to a few percent, from microseconds to hours", arguments: [1e-5, 0.04, 60])
  func quantiles(unit: Double) throws {
    var histogram = DurationHistogram()
    for number in (1...1000).reversed() { histogram.add(.seconds(unit * Double(number))) }
    for share in [0.01, 0.5, 0.95, 1] {
      let found = try #require(histogram.quantile(share)) / .seconds(1)
      #expect(abs(found / (unit * 1000 * share) - 1) < 0.025, "\(share): \(found)")
    }
  }

  @Test("takes what is shorter or longer than it can tell apart")
  func extremes() throws {
    var histogram = DurationHistogram()
    histogram.add(.zero)
    histogram.add(.seconds(1e9))
    #expect(histogram.count == 2)
    #expect(try #require(histogram.quantile(0)) < .microseconds(2))
    #expect(try #require(histogram.quantile(1)) > .seconds(86_400))
  }
}
