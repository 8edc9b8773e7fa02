import Kernels
import TensorCore
import Testing

@Suite("Convolution on the device")
struct ConvolutionTests {
  struct Case: Sendable, CustomStringConvertible {
    let size: (Int, Int)
    let inputs, outputs, kernel, stride: Int
    let padding: Padding
    var description: String {
      "\(size) \(inputs)->\(outputs) kernel \(kernel) stride \(stride) padding \(padding)"
    }
  }

  static let cases = [
    Case(size: (9, 7), inputs: 4, outputs: 16, kernel: 3, stride: 1, padding: Padding(1)),
    Case(size: (8, 12), inputs: 3, outputs: 5, kernel: 3, stride: 1, padding: Padding(1)),
    Case(size: (8, 12), inputs: 32, outputs: 32, kernel: 3, stride: 2, padding: Padding(1)),
    Case(
      size: (8, 12), inputs: 16, outputs: 48, kernel: 3, stride: 2,
      padding: Padding(top: 0, left: 0, bottom: 1, right: 1)),
    Case(size: (5, 5), inputs: 33, outputs: 17, kernel: 1, stride: 1, padding: Padding(0)),
    Case(size: (1, 1), inputs: 8, outputs: 8, kernel: 3, stride: 1, padding: Padding(1)),
    // Large enough for the kernel with fewer multiplications, in float32.
    Case(size: (43, 49), inputs: 20, outputs: 32, kernel: 3, stride: 1, padding: Padding(1)),
    Case(size: (43, 49), inputs: 20, outputs: 24, kernel: 3, stride: 1, padding: Padding(1)),
  ]

  /// A planned convolution of random numbers, with what it has to give.
  struct Planned {
    let run: GraphRun
    let image, expected: Tensor
    let tolerance: Float

    init(_ c: Case, _ precision: Precision) throws {
      var numbers = Numbers(seed: 1)
      let image = numbers.tensor([c.size.0, c.size.1, c.inputs])
      let weight = numbers.tensor([c.outputs, c.inputs, c.kernel, c.kernel])
      let bias = numbers.tensor([c.outputs])
      run = try GraphRun(precision) { graph in
        let x = graph.input(image.shape)
        return (
          [x],
          graph.convolution(
            x, weight: weight.weight(), bias: bias.weight(), stride: c.stride, padding: c.padding)
        )
      }
      self.image = image
      expected = Plain.convolution(
        image, weight, bias: bias.elements, stride: c.stride, padding: c.padding)
      tolerance = precision == .f32 ? 1e-5 : 1e-2
    }

    func expectDefinition() throws {
      #expect(try largestDifference(run([[image]])[0], expected.elements) < tolerance)
    }
  }

  @Test("equals the definition", arguments: cases, Precision.allCases)
  func definition(_ c: Case, _ precision: Precision) throws {
    try Planned(c, precision).expectDefinition()
  }

  @Test("equals the definition where devices of both precisions are planned at the same time")
  func plannedTogether() async throws {
    try await withThrowingTaskGroup { group in
      for precision in Precision.allCases {
        group.addTask {
          // A size each, or oneDNN would only look up what it chose for the first.
          let planned = try (8..<108).map {
            try Planned(
              Case(
                size: (4, $0), inputs: 3, outputs: 32, kernel: 3, stride: 1, padding: Padding(1)),
              precision)
          }
          for one in planned { try one.expectDefinition() }
        }
      }
      try await group.waitForAll()
    }
  }

  @Test(
    "adds a residual that is still needed afterwards without harming it", arguments: [false, true],
    [6, 48])
  func residual(_ neededLater: Bool, _ side: Int) throws {
    var numbers = Numbers(seed: 2)
    let image = numbers.tensor([side, side, 16])
    let weight = numbers.tensor([16, 16, 3, 3])
    let bias = Tensor([16])
    let run = try GraphRun(.f32) { graph in
      let x = graph.input(image.shape)
      let doubled = graph.affine(x, scale: 2)
      let shifted = graph.affine(x, offset: 1)
      var y = graph.convolution(
        shifted, weight: weight.weight(), bias: bias.weight(), adding: doubled)
      if neededLater { y = graph.add(y, doubled) }
      return ([x], y)
    }
    let shifted = Tensor(image.shape, image.elements.map { $0 + 1 })
    let convolved = Plain.convolution(
      shifted, weight, bias: bias.elements, stride: 1, padding: Padding(1))
    let factor: Float = neededLater ? 4 : 2
    let expected = zip(convolved.elements, image.elements).map { $0 + factor * $1 }
    #expect(largestDifference(try run([[image]])[0], expected) < 1e-5)
  }

  @Test("takes a video's frames for images by themselves, with a bias or without")
  func video() throws {
    var numbers = Numbers(seed: 4)
    let frames = (0..<2).map { _ in numbers.tensor([46, 45, 16]) }
    let weight = numbers.tensor([16, 16, 3, 3])
    let video = Tensor([2, 46, 45, 16], frames.flatMap(\.elements))
    for bias in [nil, numbers.tensor([16])] {
      let run = try GraphRun(.f32) { graph in
        let x = graph.input(video.shape)
        return ([x], graph.convolution(x, weight: weight.weight(), bias: bias?.weight()))
      }
      let expected = frames.flatMap {
        Plain.convolution(
          $0, weight, bias: bias?.elements ?? Tensor([16]).elements, stride: 1, padding: Padding(1)
        ).elements
      }
      #expect(largestDifference(try run([[video]])[0], expected) < 1e-5)
    }
  }

  @Test(
    "adds the step's bias anew for each run",
    arguments: [([4, 4, 8], 8, 1), ([46, 46, 16], 16, 3)])
  func stepBias(_ shape: [Int], _ outputs: Int, _ kernel: Int) throws {
    var numbers = Numbers(seed: 3)
    let image = numbers.tensor(Shape(shape))
    let weight = numbers.tensor([outputs, shape[2], kernel, kernel])
    let bias = numbers.tensor([outputs])
    let padding = Padding(kernel / 2)
    let device = try CPUDevice(precision: .f32, threads: 1)
    let graph = Graph(name: "test")
    let x = graph.input(image.shape)
    let t = graph.stepScalar()
    let embedding = graph.timestepEmbedding(
      t, channels: outputs, flipsSineToCosine: true, frequencyShift: 0)
    let y = graph.convolution(
      x, weight: weight.weight(), bias: bias.weight(), padding: padding, stepBias: embedding)
    graph.output(y)
    let plan = try device.plan(graph)
    let input = device.makeTensor(image.shape, storage: .exact)
    input.load(image.elements)
    let output = device.makeTensor(y.shape, storage: .exact)
    for frame in 0..<2 {
      plan.bind(x, frame: frame, to: input)
      plan.bind(y, frame: frame, to: output)
    }
    let plain = Plain.convolution(
      image, weight, bias: bias.elements, stride: 1, padding: padding)
    for timestep in [0, 1, 999] as [Float] {
      plan.set(t, to: timestep)
      try plan.run(frames: 2, outputs: 2, context: nil, window: nil)
      var found = Tensor(y.shape).elements
      output.store(into: &found)
      let half = outputs / 2
      let embedded = (0..<outputs).map { i -> Float in
        let frequency = Float.pow(10000, -Float(i % half) / Float(half))
        return i < half ? Float.cos(timestep * frequency) : Float.sin(timestep * frequency)
      }
      let expected = plain.elements.enumerated().map { $1 + embedded[$0 % outputs] }
      #expect(largestDifference(found, expected) < 1e-4)
    }
  }
}
