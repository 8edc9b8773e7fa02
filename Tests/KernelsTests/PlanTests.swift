import TensorCore
import Testing

@testable import Kernels

@Suite("A plan")
struct PlanTests {
  @Test(
    "computes linear layers as their definition says",
    arguments: [(Precision.f32, false), (.f32, true), (.bf16, false)])
  func linear(_ precision: Precision, _ byOpenBLAS: Bool) throws {
    var numbers = Numbers(seed: 4)
    for (rows, inputs, outputs) in [(1, 8, 8), (77, 48, 32), (13, 33, 65), (300, 64, 512)] {
      let x = numbers.tensor([rows, inputs])
      let weight = numbers.tensor([outputs, inputs])
      let bias = numbers.tensor([outputs])
      let residual = numbers.tensor([rows, outputs])
      let device = try CPUDevice(precision: precision, threads: 2)
      device.favoursSgemm = byOpenBLAS
      let run = try GraphRun(on: device) { graph in
        let input = graph.input(x.shape)
        let other = graph.input(residual.shape)
        return (
          [input, other],
          graph.linear(
            input, weight: weight.weight(), bias: bias.weight(), adding: other, activation: .relu)
        )
      }
      let product = Plain.linear(x, weight, bias: bias.elements)
      let expected = zip(product.elements, residual.elements).map { max(0, $0 + $1) }
      let found = try run([[x, residual]])[0]
      #expect(largestDifference(found, expected) < (precision == .f32 ? 1e-5 : 1e-2))
    }
  }

  @Test("leaves neither weights behind nor what they were read from")
  func discarded() throws {
    var numbers = Numbers(seed: 6)
    let x = numbers.tensor([4, 16])
    let device = try CPUDevice(precision: .f32, threads: 1)
    weak var storage: AnyObject?
    do {
      let weight = numbers.tensor([32, 16]).weight()
      storage = weight.storage as AnyObject
      let run = try GraphRun(on: device) { graph in
        let input = graph.input(x.shape)
        return ([input], graph.linear(input, weight: weight, bias: nil))
      }
      _ = try run([[x]])
      device.discardUnusedWeights()
      #expect(storage != nil && device.weightByteCount > 0)
    }
    device.discardUnusedWeights()
    #expect(storage == nil && device.weightByteCount == 0)
  }

  @Test("computes what depends on the prompt once, and reads it in every frame")
  func context() throws {
    var numbers = Numbers(seed: 5)
    let text = numbers.tensor([7, 16])
    let (wk, wv) = (numbers.tensor([32, 16]), numbers.tensor([32, 16]))
    let device = try CPUDevice(precision: .f32, threads: 2)
    let graph = Graph(name: "test")
    let x = graph.input([5, 32])
    let prompt = graph.input(text.shape, scope: .context)
    let k = graph.linear(prompt, weight: wk.weight(), bias: nil)
    let v = graph.linear(prompt, weight: wv.weight(), bias: nil)
    #expect(k.scope == .context)
    let y = graph.attention(queries: x, keys: k, values: v, headCount: 4)
    graph.output(y)
    let plan = try device.plan(graph)
    let context = try plan.prepareContext([prompt: text])
    #expect(throws: KernelError.self) { try plan.prepareContext([:]) }

    let zero = Array(repeating: Float(0), count: 32)
    let keys = Plain.linear(text, wk, bias: zero)
    let values = Plain.linear(text, wv, bias: zero)
    for frame in 0..<3 {
      let queries = numbers.tensor([5, 32])
      let (input, output) = (
        device.makeTensor([5, 32], storage: .exact), device.makeTensor([5, 32], storage: .exact)
      )
      input.load(queries.elements)
      plan.bind(x, frame: 0, to: input)
      plan.bind(y, frame: 0, to: output)
      try plan.run(frames: 1, outputs: 1, context: context, window: nil)
      var found = Tensor([5, 32]).elements
      output.store(into: &found)
      let expected = Plain.attention(queries, keys, values, headCount: 4)
      #expect(largestDifference(found, expected.elements) < 1e-5, "frame \(frame)")
    }
  }

  @Test("averages keys and values over a window, across runs through the cache")
  func window() throws {
    var numbers = Numbers(seed: 6)
    let frames = (0..<4).map { _ in (0..<3).map { _ in numbers.tensor([6, 16]) } }
    let run = try GraphRun(.f32) { graph in
      let (q, k, v) = (graph.input([6, 16]), graph.input([6, 16]), graph.input([6, 16]))
      // Through an operation, so that keys and values lie among the activations.
      let (keys, values) = (graph.affine(k, scale: 1), graph.affine(v, scale: 1))
      return (
        [q, k, v],
        graph.attention(queries: q, keys: keys, values: values, headCount: 2, readsWindow: true)
      )
    }
    let cache = try run.plan.makeFeatureCache(passes: 2, slots: 2)
    func expected(_ frame: Int, over window: [Int]) -> [Float] {
      let (k, v) = (
        Plain.mean(window.map { frames[$0][1] }), Plain.mean(window.map { frames[$0][2] })
      )
      return Plain.attention(frames[frame][0], k, v, headCount: 2).elements
    }

    let first = try run(
      [frames[0], frames[1]],
      window: WindowPass(
        sources: [[.member(0), .member(1)], [.member(0), .member(1)]],
        stores: [(member: 0, slot: 1), (member: 1, slot: 0)], cache: cache, pass: 1))
    #expect(largestDifference(first[0], expected(0, over: [0, 1])) < 1e-5)
    #expect(largestDifference(first[1], expected(1, over: [0, 1])) < 1e-5)

    // Frame 2 takes the slot that both frames of this run still read.
    let second = try run(
      [frames[2], frames[3]],
      window: WindowPass(
        sources: [
          [.cached(slot: 1), .cached(slot: 0), .member(0), .member(1)],
          [.cached(slot: 0), .member(0), .member(1)],
        ],
        stores: [(member: 0, slot: 0)], cache: cache, pass: 1))
    #expect(largestDifference(second[0], expected(2, over: [0, 1, 2, 3])) < 1e-5)
    #expect(largestDifference(second[1], expected(3, over: [1, 2, 3])) < 1e-5)

    let third = try run(
      [frames[3]],
      window: WindowPass(
        sources: [[.cached(slot: 0), .member(0)]], stores: [], cache: cache, pass: 1))
    #expect(largestDifference(third[0], expected(3, over: [2, 3])) < 1e-5)

    let alone = try run([frames[3]])
    #expect(largestDifference(alone[0], expected(3, over: [3])) < 1e-5)
  }

  @Test("puts a window's frames side by side, and the frame itself where one is missing")
  func windowStack() throws {
    var numbers = Numbers(seed: 9)
    let frames = (0..<4).map { _ in numbers.tensor([3, 5, 4]) }
    let run = try GraphRun(.f32) { graph in
      let x = graph.input([3, 5, 4])
      return ([x], graph.windowStack(x, radius: 2))
    }
    let cache = try run.plan.makeFeatureCache(passes: 1, slots: 1)
    func expected(_ window: [Int]) -> [Float] {
      (0..<15).flatMap { pixel in
        window.flatMap { frames[$0].elements[pixel * 4..<(pixel + 1) * 4] }
      }
    }
    let first = try run(
      [[frames[0]], [frames[1]]],
      window: WindowPass(
        sources: [[.member(0), .member(1, offset: 1)], [.member(0, offset: -1), .member(1)]],
        stores: [(member: 1, slot: 0)], cache: cache, pass: 0))
    #expect(first == [expected([0, 0, 0, 1, 0]), expected([1, 0, 1, 1, 1])])
    // A frame three away is out of the layer's reach; of the last frame nothing is wanted.
    let second = try run(
      [[frames[2]], [frames[3]]], outputs: 1,
      window: WindowPass(
        sources: [
          [.cached(slot: 0, offset: -1), .member(0), .member(1, offset: 1)],
          [.member(0, offset: -3), .member(1)],
        ], stores: [], cache: cache, pass: 0))
    #expect(second == [expected([2, 1, 2, 3, 2])])
    #expect(try run([[frames[3]]]) == [expected([3, 3, 3, 3, 3])])
  }

  @Test("computes of a frame that is not wanted what the others' windows read")
  func outputs() throws {
    var numbers = Numbers(seed: 10)
    let weights = (0..<4).map { _ in numbers.tensor([16, 16]) }
    let frames = (0..<3).map { _ in [numbers.tensor([6, 16])] }
    let run = try GraphRun(.f32) { graph in
      let x = graph.input([6, 16])
      var h = x
      for layer in 0..<2 {
        let q = graph.linear(h, weight: weights[2 * layer].weight(), bias: nil)
        let k = graph.linear(h, weight: weights[2 * layer + 1].weight(), bias: nil)
        h = graph.attention(queries: q, keys: k, values: k, headCount: 2, readsWindow: true)
      }
      return ([x], graph.activation(.silu, h))
    }
    let cache = try run.plan.makeFeatureCache(passes: 1, slots: 1)
    let window = WindowPass(
      sources: Array(repeating: (0..<3).map { .member($0) }, count: 3), stores: [], cache: cache,
      pass: 0)
    let all = try run(frames, window: window)
    #expect(try run(frames, outputs: 1, window: window) == [all[0]])
    #expect(try run(frames, outputs: 1) == [run([frames[0]])[0]])
  }

  @Test("gives every frame of a run what it gets alone, to the bit", arguments: Precision.allCases)
  func frames(_ precision: Precision) throws {
    var numbers = Numbers(seed: 7)
    let weights = (0..<2).map { _ in numbers.tensor([16, 16, 3, 3]) }
    let norm = (numbers.tensor([16]), numbers.tensor([16]))
    let run = try GraphRun(precision) { graph in
      let x = graph.input([10, 6, 16])
      let a = graph.groupNorm(
        x, groupCount: 4, epsilon: 1e-5, weight: norm.0.weight(), bias: norm.1.weight(),
        activation: .silu)
      let b = graph.convolution(a, weight: weights[0].weight(), bias: nil, activation: .relu)
      let c = graph.convolution(b, weight: weights[1].weight(), bias: nil, adding: x)
      let d = graph.concatenation(c, b)
      return ([x], graph.upsampling(d, height: 20, width: 12))
    }
    let inputs = (0..<3).map { _ in [numbers.tensor([10, 6, 16])] }
    let together = try run(inputs)
    for (number, input) in inputs.enumerated() {
      #expect(try run([input])[0] == together[number])
    }
  }

  @Test("gives up its memory and its tensors where that is asked for, and makes new")
  func release() throws {
    let device = try CPUDevice(precision: .f32, threads: 1)
    let graph = Graph(name: "test")
    let x = graph.input([64, 32])
    let y = graph.activation(.silu, graph.affine(x, scale: 2))
    graph.output(y)
    let plan = try device.plan(graph)
    weak var held: (any DeviceTensor)?
    func run(frames: Int) throws -> [Float] {
      let tensors = (0..<2 * frames).map { _ in device.makeTensor([64, 32], storage: .exact) }
      for frame in 0..<frames {
        tensors[2 * frame].load(Array(repeating: 3, count: 64 * 32))
        plan.bind(x, frame: frame, to: tensors[2 * frame])
        plan.bind(y, frame: frame, to: tensors[2 * frame + 1])
      }
      try plan.run(frames: frames, outputs: frames, context: nil, window: nil)
      held = tensors.last
      var found = Tensor([64, 32]).elements
      tensors[1].store(into: &found)
      return found
    }
    let before = try run(frames: 5)
    #expect(held != nil)
    #expect(device.workspace.byteCount >= plan.workspaceByteCount(frames: 5))
    plan.unbindAll()
    device.releaseWorkspace()
    #expect(held == nil && device.workspace.byteCount <= AlignedMemory.alignment)
    #expect(try run(frames: 1) == before)
    #expect(device.workspace.byteCount < plan.workspaceByteCount(frames: 5))
  }

  @Test("never lets buffers that live at the same time overlap")
  func layout() {
    var numbers = Numbers(seed: 8)
    let requests = (0..<200).map { _ in
      let start = Int.random(in: 0..<100, using: &numbers)
      return ArenaLayout.Request(
        byteCount: Int.random(in: 1...5000, using: &numbers),
        lifetime: start...start + Int.random(in: 0..<20, using: &numbers))
    }
    let layout = ArenaLayout(requests)
    for i in requests.indices {
      let a = layout.offsets[i]..<layout.offsets[i] + requests[i].byteCount
      #expect(a.upperBound <= layout.byteCount && a.lowerBound % 64 == 0)
      for j in requests.indices.dropFirst(i + 1)
      where requests[i].lifetime.overlaps(requests[j].lifetime) {
        let b = layout.offsets[j]..<layout.offsets[j] + requests[j].byteCount
        #expect(!a.overlaps(b))
      }
    }
    let atOnce = (0..<120).map { step in
      requests.filter { $0.lifetime.contains(step) }.reduce(0) { $0 + $1.byteCount }
    }
    #expect(layout.byteCount < 2 * atOnce.max()!)
  }
}
