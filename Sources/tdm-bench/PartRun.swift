import Kernels
import ModelFiles
import Networks
import TensorCore

/// A part of a model, planned, with its inputs in place.
struct PartRun {
  /// Runs it once.
  let compute: () throws -> Void
  /// Its inputs and outputs, by name.
  let tensors: () -> [String: Tensor]

  static func text(_ folder: ModelFolder, on device: any Device) throws -> PartRun {
    let model = try CLIPTextModel(folder)
    let encoder = try TextEncoder(model, on: device)
    let ids = (0..<model.config.promptLength).map {
      Int32($0 * 7919 % model.config.vocabularySize)
    }
    var features = try encoder.encode(ids)
    return PartRun(
      compute: { features = try encoder.encode(ids) },
      tensors: {
        ["token_ids": Tensor([ids.count], ids.map { Float($0) }), "text": features]
      })
  }

  /// A network from one image to another.
  static func image(
    _ input: (name: String, tensor: Tensor), _ result: String, _ name: String,
    on device: any Device, _ describe: (Value, Graph) throws -> Value
  ) throws -> PartRun {
    let graph = Graph(name: name)
    let value = graph.input(input.tensor.shape)
    let output = try describe(value, graph)
    return try PartRun(
      graph, on: device, inputs: [(input.name, value, input.tensor)], outputs: [(result, output)])
  }

  static func condition(
    _ folder: ModelFolder, _ geometry: Geometry, on device: any Device
  ) throws -> PartRun {
    let embedding = try ControlNetModel(folder).conditioningEmbedding
    let graph = Graph(name: "condition")
    let inputs = geometry.pictures(embedding.seesSecondPicture).map {
      ($0.name, graph.input($0.tensor.shape), $0.tensor)
    }
    let output = embedding(inputs[0].1, second: inputs.dropFirst().first?.1, in: graph)
    return try PartRun(graph, on: device, inputs: inputs, outputs: [("condition", output)])
  }

  static func unet(
    _ folder: ModelFolder, _ geometry: Geometry, on device: any Device
  ) throws -> PartRun {
    let model = try UNet2DConditionModel(folder)
    let text = try geometry.context(folder.textConfig())
    let graph = Graph(name: "unet")
    let latent = graph.input(geometry.windowShape)
    let timestep = graph.stepScalar()
    let context = graph.input(text.shape, scope: .context)
    let output = model(latent, timestep: timestep, context: context, in: graph)
    return try PartRun(
      graph, on: device, inputs: [("latent", latent, geometry.window)],
      outputs: [("output", output)], timestep: (timestep, geometry.timestep),
      context: (context, text))
  }

  static func controlNet(
    _ folder: ModelFolder, _ geometry: Geometry, on device: any Device
  ) throws -> PartRun {
    let model = try ControlNetModel(folder)
    let text = try geometry.context(folder.textConfig())
    let embedding = try ConditionEmbedding(
      model, height: geometry.height, width: geometry.width, on: device)
    let pictures = geometry.pictures(embedding.seesSecondPicture)
    let loaded = pictures.map { picture in
      let tensor = device.makeTensor(picture.tensor.shape, storage: .exact)
      tensor.load(picture.tensor.elements)
      return tensor
    }
    let embedded = device.makeTensor(embedding.shape, storage: .activation)
    try embedding.embed(loaded[0], second: loaded.dropFirst().first, into: embedded)

    let graph = Graph(name: "controlnet")
    let latent = graph.input(geometry.windowShape)
    let condition = graph.input(embedding.shape, storage: .activation)
    let timestep = graph.stepScalar()
    let context = graph.input(text.shape, scope: .context)
    let output = model(
      latent, condition: condition, timestep: timestep, context: context, readsWindow: false,
      in: graph)
    let skips = output.skips.enumerated().map { ("down.\($0.offset)", $0.element) }
    let run = try PartRun(
      graph, on: device, inputs: [("latent", latent, geometry.window)],
      outputs: skips + [("mid", output.middle)], timestep: (timestep, geometry.timestep),
      context: (context, text), bound: [(condition, embedded)])
    return PartRun(compute: run.compute) {
      run.tensors().merging(pictures.map { ($0.name, $0.tensor) }) { $1 }
    }
  }

  init(compute: @escaping () throws -> Void, tensors: @escaping () -> [String: Tensor]) {
    self.compute = compute
    self.tensors = tensors
  }

  init(
    _ graph: Graph, on device: any Device, inputs: [(name: String, value: Value, tensor: Tensor)],
    outputs: [(name: String, value: Value)], timestep: (scalar: Value, number: Float)? = nil,
    context: (value: Value, text: Tensor)? = nil, bound: [(Value, any DeviceTensor)] = []
  ) throws {
    for output in outputs { graph.output(output.value) }
    let plan = try device.plan(graph)
    for (_, value, tensor) in inputs {
      let input = device.makeTensor(value.shape, storage: .exact)
      input.load(tensor.elements)
      plan.bind(value, frame: 0, to: input)
    }
    for (value, tensor) in bound { plan.bind(value, frame: 0, to: tensor) }
    let results = outputs.map { device.makeTensor($0.value.shape, storage: .exact) }
    for (output, result) in zip(outputs, results) {
      plan.bind(output.value, frame: 0, to: result)
    }
    if let timestep { plan.set(timestep.scalar, to: timestep.number) }
    let prepared = try context.map { try plan.prepareContext([$0.value: $0.text]) }
    compute = { try plan.run(frames: 1, outputs: 1, context: prepared, window: nil) }
    tensors = {
      var tensors = Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, $0.tensor) })
      if let context { tensors["text"] = context.text }
      if let timestep { tensors["timestep"] = Tensor([1], [timestep.number]) }
      for (output, result) in zip(outputs, results) {
        var elements = [Float](repeating: 0, count: result.shape.count)
        result.store(into: &elements)
        tensors[output.name] = Tensor(result.shape, elements)
      }
      return tensors
    }
  }
}
