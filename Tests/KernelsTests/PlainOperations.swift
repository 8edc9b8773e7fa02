import Glibc
import TensorCore

@testable import Kernels

/// Operations written down as their definitions say, in double: what the device's are held against.
enum Plain {
  /// image: [H, W, Cin], weight: [Cout, Cin, kh, kw]
  static func convolution(
    _ image: Tensor, _ weight: Tensor, bias: [Float], stride: Int, padding: Padding
  ) -> Tensor {
    let (height, width, inputs) = (image.shape[0], image.shape[1], image.shape[2])
    let (outputs, kh, kw) = (weight.shape[0], weight.shape[2], weight.shape[3])
    let outHeight = (height + padding.top + padding.bottom - kh) / stride + 1
    let outWidth = (width + padding.left + padding.right - kw) / stride + 1
    var result: [Float] = []
    for y in 0..<outHeight {
      for x in 0..<outWidth {
        for o in 0..<outputs {
          var sum = Double(bias[o])
          for ky in 0..<kh {
            for kx in 0..<kw {
              let (sy, sx) = (y * stride + ky - padding.top, x * stride + kx - padding.left)
              guard (0..<height).contains(sy), (0..<width).contains(sx) else { continue }
              for i in 0..<inputs {
                sum +=
                  Double(image.elements[(sy * width + sx) * inputs + i])
                  * Double(weight.elements[((o * inputs + i) * kh + ky) * kw + kx])
              }
            }
          }
          result.append(Float(sum))
        }
      }
    }
    return Tensor([outHeight, outWidth, outputs], result)
  }

  /// x: [T, Cin], weight: [Cout, Cin]
  static func linear(_ x: Tensor, _ weight: Tensor, bias: [Float]) -> Tensor {
    let (inputs, outputs) = (weight.shape[1], weight.shape[0])
    var result: [Float] = []
    for row in 0..<x.shape.rows {
      for o in 0..<outputs {
        var sum = Double(bias[o])
        for i in 0..<inputs {
          sum += Double(x.elements[row * inputs + i]) * Double(weight.elements[o * inputs + i])
        }
        result.append(Float(sum))
      }
    }
    return Tensor(Shape(x.shape.extents.dropLast() + [outputs]), result)
  }

  /// q: [T, C], k and v: [S, C]
  static func attention(_ q: Tensor, _ k: Tensor, _ v: Tensor, headCount: Int) -> Tensor {
    let channels = q.shape.channels
    let dimension = channels / headCount
    var result = Tensor(q.shape)
    for head in 0..<headCount {
      let lanes = head * dimension..<(head + 1) * dimension
      for t in 0..<q.shape.rows {
        let scores = (0..<k.shape.rows).map { s in
          lanes.reduce(0.0) {
            $0 + Double(q.elements[t * channels + $1]) * Double(k.elements[s * channels + $1])
          } / Double(dimension).squareRoot()
        }
        let weights = scores.map { exp($0 - scores.max()!) }
        let total = weights.reduce(0, +)
        for lane in lanes {
          result.elements[t * channels + lane] = Float(
            weights.indices.reduce(0.0) {
              $0 + weights[$1] * Double(v.elements[$1 * channels + lane])
            } / total)
        }
      }
    }
    return result
  }

  static func mean(_ tensors: [Tensor]) -> Tensor {
    var result = Tensor(tensors[0].shape)
    for i in result.elements.indices {
      result.elements[i] = Float(
        tensors.reduce(0.0) { $0 + Double($1.elements[i]) } / Double(tensors.count))
    }
    return result
  }
}
