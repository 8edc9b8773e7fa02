import TensorCore
import Testing

@testable import ModelFiles

@Suite("Packed models")
struct PackedModelTests {
  private func unpack(_ bytes: [UInt8]) throws -> PackedModel {
    try bytes.withUnsafeBytes { try PackedModel(name: "x.tdmpack", bytes: $0) }
  }

  private func refusal(_ bytes: [UInt8]) -> String {
    do {
      _ = try unpack(bytes)
    } catch { return "\(error)" }
    return ""
  }

  private static let fixture = Fixtures.bytes("packed/tiny.tdmpack")

  @Test("what pack.py writes is read as a model's folder")
  func fixture() throws {
    let model = try ModelFolder(path: "\(Fixtures.path)/packed/tiny.tdmpack")
    #expect(try model.unetConfig().blockOutChannels == [32, 64])
    #expect(try model.controlNetConfig().conditioningEmbeddingOutChannels == [8, 16, 16])
    #expect(try model.autoencoderConfig().latentChannels == 6)
    #expect(try model.textConfig().layerCount == 2)
    #expect(try model.schedulerConfig().predictionType == .vPrediction)
    #expect(try model.tokenizer(length: 77).encode("rain").count == 77)
    for part in [ModelPart.unet, .controlnet, .vae, .textEncoder] {
      let scope = try model.weights(of: part)
      for (name, shape) in [("first.weight", [3, 5] as Shape), ("second.weight", [7])] {
        let tensor = try scope.tensor(name, shape)
        #expect(tensor.elementType == .f16 && tensor.name == "\(part.rawValue)/\(name)")
        let values = try tensor.storage.withBytes(in: tensor.range) { bytes in
          (0..<shape.count).map {
            halfValue(bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self))
          }
        }
        let expected: [Float] = (0..<shape.count).map { Float((37 * $0) % 101 - 50) / 16 }
        #expect(values == expected)
      }
      try scope.finish()
    }
  }

  /// A normal float16's value; the fixture has no others but 0.
  private func halfValue(_ bits: UInt16) -> Float {
    let exponent = Int(bits >> 10 & 31)
    guard exponent > 0 else { return 0 }
    let sign: Float = bits >> 15 == 1 ? -1 : 1
    return sign
      * Float(sign: .plus, exponent: exponent - 15, significand: 1 + Float(bits & 1023) / 1024)
  }

  @Test("a file within lies where the index says, its halves joined")
  func planes() throws {
    var builder = PackBuilder(
      index:
        #"{"files":[{"path":"a/b","size":3},{"path":"a/c","size":7,"planesFrom":1},{"path":"d","size":0}]}"#
    )
    builder.files = [[1, 2, 3], [9, 1, 2, 3, 10, 20, 30], []]
    let model = try unpack(builder.build())
    #expect(try model.file("a/b")?.bytes() == [1, 2, 3])
    #expect(try model.file("a/c")?.bytes() == [9, 1, 10, 2, 20, 3, 30])
    #expect(try model.file("d")?.bytes() == [])
    #expect(try model.file("e") == nil)
    #expect(model.names(in: "a") == ["b", "c"] && model.names(in: "") == ["d"])
    #expect(try #require(try model.file("a/c")).range.lowerBound % 64 == 0)
  }

  @Test("a pack that promises more than it holds is refused before memory is taken")
  func bombs() {
    let index = #"{"files":[{"path":"a","size":20000000}]}"#
    var builder = PackBuilder(index: index)
    builder.files = [Array(repeating: 0, count: 20_000_000)]
    #expect(refusal(builder.build()).contains("more than a model unpacks to"))
    builder.files = []
    for size: UInt64 in [1 << 33, 1 << 62, .max, 0] {
      builder.contentSize = size
      let message = refusal(builder.build())
      #expect(
        message.contains("more than a model unpacks to") || message.contains("damaged"),
        "\(message)")
    }
    builder.contentSize = UInt64(index.utf8.count) + 1
    #expect(refusal(builder.build()).contains("expected one zstd frame"))
  }

  @Test("damaged packs are refused, saying what is wrong")
  func damaged() {
    let empty = #"{"files":[]}"#
    #expect(refusal(PackBuilder(index: empty).build()) == "")
    func changed(_ change: (inout PackBuilder) -> Void) -> String {
      var builder = PackBuilder(index: empty)
      change(&builder)
      return self.refusal(builder.build())
    }
    #expect(changed { $0.magic = Array("TDMPACK\r".utf8) }.contains("expected a packed model"))
    #expect(changed { $0.version = 2 }.contains("version 2 of the format, expected 1"))
    #expect(changed { $0.checksum = false }.contains("expected one zstd frame"))
    #expect(changed { $0.indexSize = 1 << 21 }.contains("its index should not be"))
    #expect(changed { $0.indexSize = 3 }.contains("its index is not valid JSON"))
    #expect(changed { $0.frameSize = 3 }.contains("promises 3 compressed bytes"))
    #expect(changed { $0.index = "[]" }.contains("its index should list files"))
    let cases: [(String, [UInt8], String)] = [
      (#"{"path":"a"}"#, [], "should have a path and a size"),
      (#"{"path":1,"size":0}"#, [], "should have a path and a size"),
      (#"{"path":"a","size":-1}"#, [], "should have a path and a size"),
      (#"{"path":"a","size":2}"#, [1], "should end within"),
      (#"{"path":"a","size":9223372036854775807}"#, [1], "should end within"),
      (#"{"path":"a","size":1}"#, [1, 2], "its files end at byte"),
      (#"{"path":"a","size":2,"planesFrom":1}"#, [1, 2], "planesFrom 1 does not fit"),
      (#"{"path":"a","size":2,"planesFrom":4}"#, [1, 2], "planesFrom 4 does not fit"),
      (#"{"path":"a","size":0},{"path":"a","size":0}"#, [], "is there twice"),
    ]
    for (entry, file, reason) in cases {
      let message = changed {
        $0.index = "{\"files\":[\(entry)]}"
        $0.files = [file]
      }
      #expect(
        message.hasPrefix("x.tdmpack: damaged packed model:") && message.contains(reason),
        "\(message)")
    }
  }

  @Test("a pack that is cut short or extended is refused")
  func truncation() {
    let whole = Self.fixture
    for length in stride(from: 0, to: whole.count, by: 37) {
      #expect(refusal(Array(whole[..<length])) != "", "cut to \(length) bytes")
    }
    #expect(refusal(whole + [0]) != "")
  }

  @Test("a single damaged byte is found by the checksum")
  func damage() {
    let whole = Self.fixture
    for position in Array(0..<40) + Array(stride(from: 40, to: whole.count, by: 61)) {
      var damaged = whole
      damaged[position] ^= 0x10
      #expect(refusal(damaged) != "", "byte \(position)")
    }
  }

  @Test("a file that is no pack is refused as a model")
  func noPack() {
    let folder = TemporaryFolder()
    let path = folder.write("model.ckpt", "PK and other bytes that no one opens")
    do {
      _ = try ModelFolder(path: path)
      Issue.record("accepted")
    } catch {
      #expect("\(error)".contains("expected a packed model, found a file of 36 bytes that is none"))
    }
  }
}
