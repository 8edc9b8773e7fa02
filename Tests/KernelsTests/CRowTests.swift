import CKernels
import Testing

@Suite("Work on rows in C")
struct CRowTests {
  private static let shapes = [(1, 1), (5, 3), (4, 16), (3, 65), (300, 80)]

  @Test("The gated unit agrees with double precision", arguments: shapes)
  func gatedUnit(rows: Int, channels: Int) {
    var noise = Noise(1)
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(rows * channels * 2, times: 2))
      let expected = (0..<(rows * channels)).map { i in
        let at = i / channels * 2 * channels + i % channels
        return Double(x[at]) * activated(Double(x[at + channels]), TDM_GELU)
      }
      withEachInstructionSet { isa in
        for threads: Int32 in [1, 2] {
          let input = Guarded(type, x)
          let out = Guarded(type, count: rows * channels)
          tdm_geglu(type, out.start, input.start, rows, channels, threads)
          let distance = Distance(out.values(type), from: expected)
          #expect(distance.relative < type.tolerance, "set \(isa): \(distance)")
          #expect(out.isIntact)
        }
      }
    }
  }

  @Test("Rows of several sources take turns", arguments: shapes)
  func interleaving(rows: Int, channels: Int) {
    var noise = Noise(3)
    let values = (0..<3).map { _ in noise.normals(rows * channels) }
    let sources = values.map { Guarded(TDM_F32, $0) }
    for threads: Int32 in [1, 2] {
      let out = Guarded(TDM_F32, count: 3 * rows * channels)
      tdm_interleave(
        out.start, sources.map { UnsafeRawPointer($0.start) }, 3, channels * 4, rows, threads)
      let expected = (0..<rows).flatMap { row in
        values.flatMap { $0[row * channels..<(row + 1) * channels] }
      }
      #expect(out.values(TDM_F32) == expected && out.isIntact)
    }
  }

  @Test("Rows side by side, with and without an addend", arguments: shapes)
  func concatenation(rows: Int, channels: Int) {
    var noise = Noise(2)
    let other = channels + 3
    for type in tdm_type.all {
      let a = type.rounded(noise.normals(rows * channels))
      let b = type.rounded(noise.normals(rows * other))
      let addend = type.rounded(noise.normals(rows * other))
      for scale: Float? in [nil, 0.5] {
        let factor = Double(scale ?? 0)
        var expected: [Double] = []
        for row in 0..<rows {
          for i in 0..<channels { expected.append(Double(a[row * channels + i])) }
          for i in (row * other)..<((row + 1) * other) {
            expected.append(Double(b[i]) + factor * Double(addend[i]))
          }
        }
        withEachInstructionSet { isa in
          let x = Guarded(type, a)
          let y = Guarded(type, b)
          let z = Guarded(type, addend)
          let out = Guarded(type, count: expected.count)
          tdm_concat(
            type, out.start, x.start, channels, y.start, other,
            scale == nil ? nil : UnsafeRawPointer(z.start), scale ?? 0, rows, 2)
          let distance = Distance(out.values(type), from: expected)
          #expect(
            distance.relative <= (scale == nil ? 0 : type.tolerance), "set \(isa): \(distance)")
          #expect(out.isIntact)
        }
      }
    }
  }

  @Test("Enlarging takes the nearest pixel above and to the left")
  func enlarging() {
    var noise = Noise(4)
    let (height, width, channels) = (3, 5, 7)
    for type in tdm_type.all {
      let x = type.rounded(noise.normals(height * width * channels))
      for (outHeight, outWidth) in [(6, 10), (7, 9), (3, 5), (1, 200)] {
        let expected = (0..<(outHeight * outWidth * channels)).map { i in
          let row = i / channels / outWidth * height / outHeight
          let column = i / channels % outWidth * width / outWidth
          return Double(x[(row * width + column) * channels + i % channels])
        }
        for threads: Int32 in [1, 2] {
          let input = Guarded(type, x)
          let out = Guarded(type, count: expected.count)
          tdm_upsample_nearest(
            type, out.start, tdm_extents(frames: 1, height: outHeight, width: outWidth),
            input.start,
            tdm_extents(frames: 1, height: height, width: width), channels, threads)
          let distance = Distance(out.values(type), from: expected)
          #expect(distance.relative == 0 && out.isIntact, "\(outHeight) x \(outWidth): \(distance)")
        }
      }
    }
  }

  @Test("Each index is visited once, whatever the number of threads")
  func loops() {
    for count in [0, 1, 2, 7, 100] {
      for threads: Int32 in [-1, 0, 1, 2, 5] {
        let visits = Guarded(byteCount: count)
        visits.start.initializeMemory(as: UInt8.self, repeating: 0, count: count)
        tdm_parallel_for(
          threads, count,
          { context, index in
            let visits = context!.assumingMemoryBound(to: UInt8.self)
            visits[index] += 1
          }, visits.start)
        #expect(visits.bytes.allSatisfy { $0 == 1 } && visits.isIntact, "\(count), \(threads)")
      }
    }
  }

  @Test("A limit on instruction sets holds for the thread that sets it")
  func limits() {
    defer { _ = tdm_isa_limit(TDM_ISA_AMX_BF16) }
    #expect(tdm_isa_limit(TDM_ISA_AMX_BF16) == tdm_isa_detect())
    #expect(tdm_isa_limit(TDM_ISA_PLAIN) == TDM_ISA_PLAIN)
    #expect(tdm_isa_current() == TDM_ISA_PLAIN)
    var seen = [tdm_isa](repeating: TDM_ISA_AMX_BF16, count: 4)
    seen.withUnsafeMutableBufferPointer {
      tdm_parallel_for(
        2, 4,
        { context, index in
          context!.assumingMemoryBound(to: tdm_isa.self)[index] = tdm_isa_current()
        }, $0.baseAddress)
    }
    #expect(seen.allSatisfy { $0 == TDM_ISA_PLAIN })
  }
}
