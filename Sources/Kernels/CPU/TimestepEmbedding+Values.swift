import Glibc

extension TimestepEmbedding {
  /// In float32 throughout, as the networks were trained.
  /// Reference: Vaswani et al. 2017, section 3.5.
  func write(to output: UnsafeMutablePointer<Float>, channels: Int, timestep: Float) {
    let half = channels / 2
    for i in 0..<half {
      let exponent = -Float(log(10000.0)) * Float(i) / (Float(half) - frequencyShift)
      let angle = timestep * expf(exponent)
      output[flipsSineToCosine ? i : half + i] = cosf(angle)
      output[flipsSineToCosine ? half + i : i] = sinf(angle)
    }
    if channels % 2 == 1 { output[channels - 1] = 0 }
  }
}
