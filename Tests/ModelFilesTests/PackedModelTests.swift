import FixtureSupport
import TensorCore
import Testing

@testable import ModelFiles

@Suite("Packed models")
struct PackedModelTests {
  private func open(_ bytes: [UInt8]) throws -> PackedModel {
    try PackedModel(name: "x.tdmpack", storage: HeldBytes(bytes), byteCount: bytes.count)
  }

  /// All files of a pack.
  private func contents(_ bytes: [UInt8]) throws -> [String: [UInt8]] {
    let model = try open(bytes)
    var contents: [String: [UInt8]] = [:]
    for folder in ["", "a", "unet", "controlnet", "vae", "text_encoder", "tokenizer", "scheduler"] {
      for name in model.names(in: folder) {
        let path = folder.isEmpty ? name : "\(folder)/\(name)"
        let file = try #require(try model.file(path))
        // Unpacked before its size is held against what a file may have.
        try file.withBytes(0..<0) { _ in }
        contents[path] = try file.bytes()
      }
    }
    return contents
  }

  /// What is said against a pack when it is opened and all its files are read.
  private func refusal(_ bytes: [UInt8]) -> String {
    do { _ = try contents(bytes) } catch { return "\(error)" }
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

  @Test("a file within is what was packed, its halves joined, whatever is read before it")
  func planes() throws {
    var builder = PackBuilder()
    // Too large to be unpacked for each read.
    let large = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 * 7) }
    builder.files = [
      .init(path: "a/b", content: [1, 2, 3]),
      .init(path: "a/c", content: [9, 1, 2, 3, 10, 20, 30], planesFrom: 1),
      .init(path: "d", content: []), .init(path: "l", content: large),
      .init(path: "m", content: large.reversed()),
    ]
    let model = try open(builder.build())
    for _ in 0..<2 {
      #expect(try model.file("a/b")?.bytes() == [1, 2, 3])
      #expect(try model.file("l")?.bytes() == large)
      #expect(try model.file("a/c")?.bytes() == [9, 1, 10, 2, 20, 3, 30])
      #expect(
        try model.file("l")?.withBytes(1000..<1010) { Array($0) } == Array(large[1000..<1010]))
      #expect(try model.file("m")?.bytes() == large.reversed())
      #expect(try model.file("d")?.bytes() == [])
    }
    #expect(try model.file("e") == nil)
    #expect(model.names(in: "a") == ["b", "c"] && model.names(in: "") == ["d", "l", "m"])
    // The same object: what was made of its weights is found by it.
    #expect(try model.file("l")?.storage === model.file("l")?.storage)
  }

  /// 1 and -1 of steps of 1/2, between them one that is elsewhere, and one that is in no steps.
  private static let stepped = PackBuilder.File(
    path: "a", content: [9, 1, 0x80, 0xff, 0x34, 0x78, 0x12, 0x56], planesFrom: 1,
    steps: "[[3,-1],[1]]", size: 9)

  @Test("a file's numbers are steps, and those that no byte holds")
  func steps() throws {
    var builder = PackBuilder()
    builder.files = [Self.stepped]
    #expect(
      try open(builder.build()).file("a")?.bytes() == [9, 0, 0x38, 0x34, 0x12, 0, 0xb8, 0x78, 0x56])
    // Each number of steps, of the smallest step and of the largest.
    let codes = (1...255).map { UInt8($0) ^ 0x80 }
    for exponent in [-24, 9] {
      builder.files = [
        .init(
          path: "a", content: codes, planesFrom: 0, steps: "[[255,\(exponent)]]", size: 510)
      ]
      let bytes = try #require(try open(builder.build()).file("a")?.bytes())
      for (place, code) in codes.enumerated() {
        let number = Float16(
          bitPattern: UInt16(bytes[2 * place]) | UInt16(bytes[2 * place + 1]) << 8)
        let step = Float(sign: .plus, exponent: exponent, significand: 1)
        #expect(Float(number) == Float(Int8(bitPattern: code)) * step)
      }
    }
  }

  @Test("steps that do not fit the file are refused")
  func unfitSteps() {
    func refused(_ change: (inout PackBuilder.File) -> Void) -> String {
      var builder = PackBuilder()
      builder.files = [Self.stepped]
      change(&builder.files[0])
      return refusal(builder.build())
    }
    #expect(refused { _ in } == "")
    for steps in [
      "[[3,-1],[2]]", "[[3,10],[1]]", "[[3,-25],[1]]", "[[0],[4]]", "[[-1],[4]]", "[[1,0,0],[3]]",
      "[[]]", "[4]", "[[3,null],[1]]",
    ] {
      let message = refused { $0.steps = steps }
      #expect(message.contains(" do not fit its size 9"), "\(steps): \(message)")
    }
    for steps in ["[[3,-1]]", "[]", "{}", "7"] {
      let message = refused { $0.steps = steps }
      #expect(message.contains("of its numbers out"), "\(steps): \(message)")
    }
    // One number less is elsewhere, one more, half a number, and far more.
    for content in [
      [9, 1, 1, 0xff, 0x34, 0x78, 0x12, 0x56], [9, 0x80, 0x80, 0xff, 0x34, 0x78, 0x12, 0x56],
      [9, 1, 0x80, 0xff, 0x34, 0x78, 0x12], [9, 1, 0x80], [],
    ] as [[UInt8]] {
      let message = refused { $0.content = content }
      #expect(message.contains("another number of weights"), "\(content): \(message)")
    }
    let message = refused { $0.content += Array(repeating: 0, count: 100) }
    #expect(message.contains("expected one zstd frame of a file of 9 bytes"), "\(message)")
  }

  @Test("a file that is not read may be damaged")
  func untouched() throws {
    var builder = PackBuilder()
    builder.files = [.init(path: "a", content: [1, 2, 3]), .init(path: "b", content: [4])]
    var bytes = builder.build()
    bytes[bytes.count - 1] ^= 1
    let model = try open(bytes)
    #expect(try model.file("a")?.bytes() == [1, 2, 3])
    let error = #expect(throws: ModelError.self) { try model.file("b")?.bytes() }
    #expect(error?.description.hasPrefix("x.tdmpack/b: damaged packed model: ") == true)
  }

  @Test("a file that promises more than it holds is refused before memory is taken")
  func bombs() {
    var builder = PackBuilder()
    builder.files = [.init(path: "a", content: Array(repeating: 0, count: 20_000_000))]
    #expect(refusal(builder.build()).contains("more than a model unpacks to"))
    builder.files = [.init(path: "a", content: [1])]
    for size in [1 << 33, 1 << 62, .max] {
      builder.files[0].size = size
      #expect(refusal(builder.build()).contains("more than a model unpacks to"))
    }
    builder.files[0].size = 2
    #expect(refusal(builder.build()).contains("expected one zstd frame"))
  }

  @Test("damaged packs are refused, saying what is wrong")
  func damaged() {
    #expect(refusal(PackBuilder().build()) == "")
    func changed(_ change: (inout PackBuilder) -> Void) -> String {
      var builder = PackBuilder()
      change(&builder)
      return self.refusal(builder.build())
    }
    #expect(changed { $0.magic = Array("TDMPACK\r".utf8) }.contains("expected a packed model"))
    #expect(changed { $0.version = 1 }.contains("version 1 of the format, expected 3"))
    #expect(changed { $0.checksum = false }.contains("expected one zstd frame"))
    #expect(changed { $0.indexSize = 1 << 21 }.contains("its index should not be"))
    #expect(changed { $0.packedIndexSize = 1 << 21 }.contains("its index should not be"))
    #expect(changed { $0.indexSize = 3 }.contains("expected one zstd frame"))
    #expect(changed { $0.byteCount = 3 }.contains("promises 3 bytes"))
    #expect(changed { $0.index = "{" }.contains("its index is not valid JSON"))
    #expect(changed { $0.index = "[]" }.contains("its index should list files"))
    for (entry, reason) in [
      (#"{"path":"a"}"#, "should have a path, a size and a packed size"),
      (#"{"path":"a","size":1}"#, "should have a path, a size and a packed size"),
      (#"{"path":1,"size":0,"packed":0}"#, "should have a path, a size and a packed size"),
      (#"{"path":"a","size":-1,"packed":0}"#, "should have a path, a size and a packed size"),
      (#"{"path":"a","size":2,"packed":-1}"#, "should have a path, a size and a packed size"),
      (#"{"path":"a","size":2,"packed":9223372036854775807}"#, "should end within"),
    ] {
      let message = changed { $0.index = "{\"files\":[\(entry)]}" }
      #expect(
        message.hasPrefix("x.tdmpack: damaged packed model:") && message.contains(reason),
        "\(message)")
    }
    for (file, reason) in [
      (PackBuilder.File(path: "a", content: [1, 2], packedSize: 3), "its files end at byte"),
      (.init(path: "a", content: [1, 2], packedSize: 300), "should end within"),
      (.init(path: "a", content: [1, 2], planesFrom: 1), "planesFrom 1 does not fit"),
      (.init(path: "a", content: [1, 2], planesFrom: 4), "planesFrom 4 does not fit"),
    ] {
      let message = changed { $0.files = [file] }
      #expect(message.contains(reason), "\(message)")
    }
    let twice = changed {
      $0.files = [.init(path: "a", content: []), .init(path: "a", content: [])]
    }
    #expect(twice.contains("is there twice"))
  }

  @Test("a pack that is cut short or extended is refused")
  func truncation() {
    let whole = Self.fixture
    for length in stride(from: 0, to: whole.count, by: 37) {
      #expect(refusal(Array(whole[..<length])) != "", "cut to \(length) bytes")
    }
    #expect(refusal(whole + [0]) != "")
  }

  @Test("a single damaged byte is found by the checksum, or changes nothing")
  func damage() throws {
    let whole = Self.fixture
    let sound = try contents(whole)
    var refused = 0
    for position in Array(0..<40) + Array(stride(from: 40, to: whole.count, by: 61)) {
      var damaged = whole
      damaged[position] ^= 0x10
      if let read = try? contents(damaged) {
        // zstd has bits that mean nothing.
        #expect(read == sound, "byte \(position)")
      } else {
        refused += 1
      }
    }
    #expect(refused > 120)
  }

  @Test(
    "a file that is no pack is refused as a model, one that can run code for that",
    arguments: [
      ("model.tdmpack", "expected a packed model, found a file of 36 bytes that is none"),
      ("model.ckpt", "such files are never opened, because they can run code"),
      ("v1-5-pruned.safetensors", "this is no safetensors file, or it is damaged"),
    ])
  func noPack(name: String, reason: String) {
    let folder = TemporaryFolder()
    let path = folder.write(name, "PK and other bytes that no one opens")
    do {
      _ = try ModelFolder(path: path)
      Issue.record("accepted")
    } catch {
      #expect("\(error)".contains(reason))
    }
  }
}
