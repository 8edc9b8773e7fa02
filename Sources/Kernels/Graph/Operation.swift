import TensorCore

/// An element-wise function that follows an operation.
public enum Activation: Sendable {
  case none, relu, silu
  /// Exact, with the error function.
  case gelu
  /// x · sigmoid(1.702 x), CLIP's.
  case quickGELU
  /// With tanh in the error function's place.
  case geluTanh
}

/// Zeros around an image, in pixels.
public struct Padding: Hashable, Sendable {
  public let top, left, bottom, right: Int

  public init(top: Int, left: Int, bottom: Int, right: Int) {
    self.top = top
    self.left = left
    self.bottom = bottom
    self.right = right
  }

  public init(_ all: Int) { self.init(top: all, left: all, bottom: all, right: all) }
}

/// What a node of a graph computes. Its inputs' order is said at each case.
enum Operation: Sendable {
  /// A value from outside.
  case input(Storage)
  /// A single number from outside, the same for all frames of a run.
  case scalar
  /// Inputs: image, then where they are there: a bias of the step, a residual.
  case convolution(Convolution)
  /// Inputs: sequence, then where it is there: a residual.
  case linear(Linear)
  /// Input: image.
  case groupNorm(GroupNorm)
  /// Input: sequence.
  case layerNorm(LayerNorm)
  /// Inputs: queries, keys, values.
  case attention(Attention)
  /// Input: image.
  case windowStack(WindowStack)
  /// Input: any.
  case activation(Activation)
  /// Inputs: two alike. First + scale · second.
  case add(scale: Parameter?)
  /// Input: [T, 2C]. First half · gelu(second half).
  case gatedGELU
  /// Inputs: two images or sequences with the same rows, then, where it is there, an addend of the
  /// second.
  case concatenation(scale: Parameter?)
  /// Input: image or video. Nearest neighbour.
  case upsampling
  /// Input: any. limit · tanh(x / limit).
  case softClamp(limit: Float)
  /// Input: any. scale · x + offset.
  case affine(scale: Float, offset: Float)
  /// Input: image. Blocks of 2 x 2 pixels to four bands, each times its factor; in float32.
  case haarAnalysis(factors: [Float])
  /// Input: image of bands, each times its factor, to blocks of 2 x 2 pixels; in float32.
  case haarSynthesis(factors: [Float])
  /// Input: scalar.
  case timestepEmbedding(TimestepEmbedding)
  case transformer(TransformerOperation)
  case video(VideoOperation)
}

/// What ``Graph/slice(_:_:)`` and its neighbours append.
enum TransformerOperation: Sendable {
  /// Input: any. A range of the outermost extent.
  case slice(Range<Int>)
  /// Inputs: alike but for the outermost extent, one behind the other.
  case stacking
  /// Input: any. Its first rows are those of the run's last frame.
  case borrowing(rows: Int)
  /// Input: sequence.
  case rmsNorm(RMSNorm)
  /// Inputs: two alike. Their product.
  case product
  /// Inputs: sequence, a step's vector, then where it is there: an addend.
  case rowScaling(RowScaling)
  /// Inputs: queries, keys, values, bias.
  case biasedAttention(headCount: Int)
}

/// What ``Graph/pairMeans(_:)`` and its neighbours append.
enum VideoOperation: Sendable {
  /// Input: video. Frames in pairs.
  case pairMeans
  /// Inputs: video, coarse factors, coarse addends.
  case modulation(Activation)
  /// Input: video of patches.
  case unpatchifying(size: Int)
}

struct Convolution: Sendable {
  /// [Cout, Cin, height, width], or with a number of frames before the height
  let weight: WeightTensor
  let bias: WeightTensor?
  let stride: Int
  let padding: Padding
  let hasStepBias: Bool
  let hasResidual: Bool
  /// After all additions.
  let activation: Activation
}

struct Linear: Sendable {
  /// [Cout, Cin]
  let weight: WeightTensor
  let bias: WeightTensor?
  let hasResidual: Bool
  /// After all additions.
  let activation: Activation
}

struct GroupNorm: Sendable {
  let groupCount: Int
  let epsilon: Float
  let weight, bias: WeightTensor
  let activation: Activation
}

struct LayerNorm: Sendable {
  let epsilon: Float
  let weight, bias: WeightTensor
}

struct RMSNorm: Sendable {
  let epsilon: Float
  let weight: WeightTensor
}

struct RowScaling: Sendable {
  /// Of the whole sequence, in order.
  let spans: [RowSpan]
  /// What is added to each factor.
  let offset: Float
}

struct Attention: Sendable {
  let headCount: Int
  let headDimension: Int
  let isCausal: Bool
  /// The number of this layer among those that read a window of frames; nil where a frame reads
  /// only itself.
  let site: Int?
}

struct WindowStack: Sendable {
  let radius: Int
  /// The number of this layer among those that read a window of frames.
  let site: Int
}

/// What a layer leaves of a frame for the windows of later runs: tensors of these shapes.
struct FeatureSite: Hashable, Sendable {
  let shapes: [Shape]
}

struct TimestepEmbedding: Sendable {
  let flipsSineToCosine: Bool
  let frequencyShift: Float
}
