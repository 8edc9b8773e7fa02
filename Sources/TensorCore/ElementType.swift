/// How an element is stored.
public enum ElementType: String, Sendable, CaseIterable {
  case f32 = "F32"
  /// The upper half of an f32.
  case bf16 = "BF16"
  /// IEEE half precision; in checkpoints only, never computed with.
  case f16 = "F16"

  public var byteCount: Int { self == .f32 ? 4 : 2 }
}
