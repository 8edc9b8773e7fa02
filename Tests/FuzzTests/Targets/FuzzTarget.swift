/// A reader of what others wrote, with bytes that may be anything.
///
/// A target returns whatever the bytes are: an error of the reader's is as good as a result. What
/// must not be is a crash, a hang, more memory than the bytes stand for, or a result that
/// contradicts itself, which fails a precondition here.
enum FuzzTarget: String, CaseIterable, Sendable {
  /// A Y4M stream: header, FRAME lines, frames.
  case y4m
  /// A checkpoint.
  case safetensors
  /// The tensors of a checkpoint of a single file: in each line four extents of a byte, and a name.
  case singleFile = "single-file"
  /// A part's configuration; the first byte says which part's.
  case config
  /// A tokenizer's files, with a byte of 0 between, and a prompt.
  case tokenizer
  /// The index of a checkpoint's shards.
  case shardIndex = "shard-index"
  /// A T5 tokenizer's configuration, a prompt, and its `spiece.model` or `tokenizer.json`, with a
  /// byte of 0 between.
  case t5Tokenizer = "t5-tokenizer"
  /// By its first byte a packed model, the index of one, or files that are packed here.
  case packedModel = "packed-model"
  /// A client's line on the control socket.
  case controlLine = "control-line"

  func run(_ bytes: UnsafeRawBufferPointer) {
    switch self {
    case .y4m: fuzzY4M(bytes)
    case .safetensors: fuzzSafetensors(bytes)
    case .singleFile: fuzzSingleFile(bytes)
    case .shardIndex: fuzzShardIndex(bytes)
    case .config: fuzzConfig(bytes)
    case .tokenizer: fuzzTokenizer(bytes)
    case .t5Tokenizer: fuzzT5Tokenizer(bytes)
    case .packedModel: fuzzPackedModel(bytes)
    case .controlLine: fuzzControlLine(bytes)
    }
  }
}
