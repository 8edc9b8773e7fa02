import CKernels
import COpenBLAS
import TensorCore

/// A float32 product with a weight matrix, with bias, residual and activation, by OpenBLAS.
final class SgemmStep: Step {
  /// Whether OpenBLAS has AVX-512 code for this processor, which is up to 2.7 times as fast as
  /// oneDNN 2.6's products in float32; or oneDNN has none, whose others can have one thread only
  /// (``LinearStep``). Where OpenBLAS alone falls back to AVX2 code (as it does on processors newer
  /// than itself) oneDNN is faster.
  static let isFaster: Bool = {
    if !OneDNNEngine.usesAVX512 { return true }
    let core = String(cString: openblas_get_corename()).lowercased()
    return ["skylakex", "cooperlake", "sapphirerapids", "zen4", "zen5"].contains(core)
  }()

  /// Rows that one call computes: fixed, so that the result does not depend on the number of
  /// threads.
  private static let rowsPerCall = 128

  let label = "linear"
  let reads, writes: [Buffer]

  private let source, target: Buffer
  private let residual: Buffer?
  private let rows, inputs, outputs: Int
  private let weight, bias: AlignedMemory
  private let activation: Activation

  /// - Parameter residual: summed in; where it is `target` itself it lies there already.
  init(
    _ settings: Linear, rows: Int, source: Buffer, residual: Buffer?, target: Buffer,
    _ device: CPUDevice
  ) throws(KernelError) {
    self.source = source
    self.target = target
    self.residual = residual
    self.rows = rows
    (outputs, inputs) = (settings.weight.shape[0], settings.weight.shape[1])
    weight = try device.weights.floats(settings.weight)
    bias = try device.weights.bias(settings.bias, channels: outputs)
    activation = settings.activation
    reads = [source] + [residual].compactMap { $0 }
    writes = [target]
  }

  private struct Call {
    let x, weight, bias: UnsafePointer<Float>
    let residual: UnsafePointer<Float>?
    let out: UnsafeMutablePointer<Float>
    let rows, inputs, outputs: Int
    let activation: tdm_activation

    func compute(_ index: Int) {
      let first = index * SgemmStep.rowsPerCall
      let count = min(SgemmStep.rowsPerCall, rows - first)
      let output = out + first * outputs
      // The product is added to what lies in the output.
      for row in 0..<count {
        let line = output + row * outputs
        if let residual {
          let addend = residual + (first + row) * outputs
          for i in 0..<outputs { line[i] = addend[i] + bias[i] }
        } else {
          line.update(from: bias, count: outputs)
        }
      }
      cblas_sgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, Int32(count), Int32(outputs), Int32(inputs), 1,
        x + first * inputs, Int32(inputs), weight, Int32(inputs), 1, output, Int32(outputs))
      if activation != TDM_NONE {
        tdm_activate(TDM_F32, output, output, count * outputs, activation, 1)
      }
    }
  }

  func run(_ execution: Execution, frame: Int) {
    let output = execution.pointer(target, frame: frame).assumingMemoryBound(to: Float.self)
    let addend = residual.map {
      UnsafePointer(execution.pointer($0, frame: frame).assumingMemoryBound(to: Float.self))
    }
    var call = Call(
      x: UnsafePointer(execution.pointer(source, frame: frame).assumingMemoryBound(to: Float.self)),
      weight: weight.floats, bias: bias.floats, residual: addend, out: output, rows: rows,
      inputs: inputs, outputs: outputs, activation: activation.kernel)
    let calls = (rows + Self.rowsPerCall - 1) / Self.rowsPerCall
    withUnsafeMutablePointer(to: &call) {
      tdm_parallel_for(
        execution.threads, calls,
        { context, index in context!.assumingMemoryBound(to: Call.self).pointee.compute(index) },
        $0)
    }
  }
}
