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

  /// queries: [H, W, K], sources: the distances, keys [H, W, K] and values [H, W, C] of the frames that are read,
  /// positionBias: [radius + 1, side, side]
  static func localAttention(
    _ queries: Tensor, _ sources: [(distance: Int, keys: Tensor, values: Tensor)],
    _ positionBias: Tensor
  ) -> [Float] {
    let (height, width, depth) = (queries.shape[0], queries.shape[1], queries.shape[2])
    let channels = sources[0].values.shape[2]
    let (radius, side) = (positionBias.shape[0] - 1, positionBias.shape[1])
    var result: [Float] = []
    for y in 0..<height {
      for x in 0..<width {
        var total = 0.0
        var sums = Array(repeating: 0.0, count: channels)
        for (distance, keys, values) in sources {
          for displacement in 0..<side * side {
            let row = y + displacement / side - side / 2
            let column = x + displacement % side - side / 2
            guard (0..<height).contains(row), (0..<width).contains(column) else { continue }
            let there = row * width + column
            var score = 0.0
            for c in 0..<depth {
              score +=
                Double(queries.elements[(y * width + x) * depth + c])
                * Double(keys.elements[there * depth + c])
            }
            let bias = positionBias.elements[min(distance, radius) * side * side + displacement]
            let weight = exp(score / Double(depth).squareRoot() + Double(bias))
            total += weight
            for c in 0..<channels {
              sums[c] += weight * Double(values.elements[there * channels + c])
            }
          }
        }
        result += sums.map { Float($0 / total) }
      }
    }
    return result
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
