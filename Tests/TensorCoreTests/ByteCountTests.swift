import TensorCore
import Testing

@Suite("An amount of memory")
struct ByteCountTests {
  private static let sizes: [(String, Int)] = [
    ("1", 1), ("4096", 4096), ("512K", 524_288), ("512k", 524_288), ("6G", 6_442_450_944),
    ("1.5G", 1_610_612_736), ("800MiB", 838_860_800), ("800mb", 838_860_800), ("20B", 20),
    (".5M", 524_288),
  ]

  @Test("is read with and without a unit", arguments: sizes)
  func parsing(text: String, bytes: Int) { #expect(ByteCount(parsing: text)?.bytes == bytes) }

  @Test(
    "is nothing else",
    arguments: [
      "", "G", "-1G", "1T", "1 G", "0", "0.1", "1e3", "0x10", "inf", "nan", "1.2.3", "99999999999G",
    ])
  func refusal(text: String) { #expect(ByteCount(parsing: text) == nil) }

  @Test(
    "is told in its largest unit",
    arguments: [
      (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1536, "1.5 KiB"),
      (6_442_450_944, "6.0 GiB"),
    ])
  func description(bytes: Int, text: String) { #expect(ByteCount(bytes).description == text) }
}
