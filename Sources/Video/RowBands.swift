import CKernels

/// Has a picture's rows worked on side by side, a band of them by each thread: those that networks
/// run on.
///
/// - Parameter body: takes a band's place, from 0, and its rows, of which there may be none; writes
///   to memory that is the band's own.
func forBands(
  of rowCount: Int, threads: Int, _ body: (_ band: Int, _ rows: Range<Int>) -> Void
) {
  struct Work {
    let rowCount, bandCount: Int
    let body: (Int, Range<Int>) -> Void

    func run(_ band: Int) {
      body(band, rowCount * band / bandCount..<rowCount * (band + 1) / bandCount)
    }
  }
  withoutActuallyEscaping(body) { body in
    var work = Work(rowCount: rowCount, bandCount: threads, body: body)
    withUnsafeMutablePointer(to: &work) {
      tdm_parallel_for(
        Int32(threads), threads,
        { context, band in context!.assumingMemoryBound(to: Work.self).pointee.run(band) }, $0)
    }
  }
}
