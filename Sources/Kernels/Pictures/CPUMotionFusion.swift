import CKernels
import TensorCore

final class CPUMotionFusion: MotionFusion {
  private final class Picture: FusionPicture {
    let pixels, pyramid: AlignedMemory
    /// Whether the pyramid is that of the pixels.
    var hasPyramid = false

    init(_ sizes: Sizes) {
      pixels = AlignedMemory(byteCount: sizes.pixels)
      pyramid = AlignedMemory(byteCount: sizes.pyramid)
    }
  }

  private final class History: FusionHistory {
    let mean: AlignedMemory
    /// As many pictures is it worth, at each pixel.
    let counts: AlignedMemory
    /// How many pictures each pixel of a fused one is the average of.
    let weights: AlignedMemory
    var isEmpty = true

    init(_ sizes: Sizes) {
      mean = AlignedMemory(byteCount: sizes.pixels)
      counts = AlignedMemory(byteCount: sizes.plane)
      weights = AlignedMemory(byteCount: sizes.plane)
    }
  }

  /// In bytes.
  private struct Sizes {
    let pixels, plane, pyramid, flow, search, bands: Int

    init(height: Int, width: Int, threads: Int32) {
      let value = MemoryLayout<Float>.size
      pixels = height * width * 3 * value
      plane = height * width * value
      pyramid = tdm_motion_pyramid_count(width, height) * value
      flow = 2 * (height / 2) * (width / 2) * value
      // A search's own, and half a picture for the pyramid, which needs less.
      search = max(tdm_motion_scratch_count(width, height) * value, flow / 2)
      // Of one after the other.
      bands =
        max(
          tdm_fusion_scratch_count(width, threads), tdm_rank_fusion_scratch_count(width, threads),
          tdm_history_scratch_count(width, threads)) * value
    }
  }

  private let height, width: Int
  private let threads: Int32
  private let sizes: Sizes
  private let search, bands: AlignedMemory
  /// To each of the neighbours; grows to their greatest number.
  private var flows: [AlignedMemory] = []
  /// Their pixels and pyramids, and the flows to them: made anew for each picture, in the same
  /// memory.
  private var others: [UnsafePointer<Float>?] = []
  private var motions: [UnsafePointer<Float>?] = []
  private var pyramids: [UnsafePointer<Float>?] = []
  /// Noise that is found in a picture by itself, and along its motion.
  private var levels: [Float] = [0, 0, 0]
  private var along: [Float] = [0, 0, 0]

  init(height: Int, width: Int, threads: Int32) {
    self.height = height
    self.width = width
    self.threads = threads
    sizes = Sizes(height: height, width: width, threads: threads)
    search = AlignedMemory(byteCount: sizes.search)
    bands = AlignedMemory(byteCount: sizes.bands)
  }

  /// - Parameters:
  ///   - pictures: that are kept.
  ///   - others: that one of them is fused with.
  ///   - histories: that are kept.
  static func byteCount(
    height: Int, width: Int, threads: Int32, pictures: Int, others: Int, histories: Int
  ) -> Int {
    let sizes = Sizes(height: height, width: width, threads: threads)
    return sizes.search + sizes.bands + others * sizes.flow
      + pictures * (sizes.pixels + sizes.pyramid)
      + histories * (sizes.pixels + 2 * sizes.plane)
  }

  func makePicture() -> any FusionPicture { Picture(sizes) }

  func makeHistory() -> any FusionHistory { History(sizes) }

  func load(_ rgb: [Float], into picture: any FusionPicture) {
    let picture = own(picture)
    precondition(rgb.count == height * width * 3, "\(rgb.count) values for \(width)x\(height)")
    rgb.withUnsafeBytes {
      picture.pixels.pointer.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
    }
    picture.hasPyramid = false
  }

  func store(_ picture: any FusionPicture, into rgb: inout [Float]) {
    let picture = own(picture)
    precondition(rgb.count == height * width * 3, "\(rgb.count) values for \(width)x\(height)")
    rgb.withUnsafeMutableBytes {
      $0.baseAddress!.copyMemory(from: picture.pixels.pointer, byteCount: $0.count)
    }
  }

  private func makePyramid(of picture: Picture) {
    if picture.hasPyramid { return }
    tdm_motion_pyramid(
      floats(picture.pyramid), floats(picture.pixels), width, height, floats(search), threads)
    picture.hasPyramid = true
  }

  /// Finds the motion from one of the pictures to all others, and lists those and it.
  /// - Returns: the one.
  private func findMotion(in pictures: [any FusionPicture], at place: Int) -> Picture {
    let picture = own(pictures[place])
    makePyramid(of: picture)
    others.removeAll(keepingCapacity: true)
    motions.removeAll(keepingCapacity: true)
    pyramids.removeAll(keepingCapacity: true)
    for index in pictures.indices where index != place {
      let other = own(pictures[index])
      makePyramid(of: other)
      if flows.count == others.count { flows.append(AlignedMemory(byteCount: sizes.flow)) }
      let flow = floats(flows[others.count])
      tdm_motion(
        flow, floats(picture.pyramid), floats(other.pyramid), width, height, floats(search), threads
      )
      others.append(UnsafePointer(floats(other.pixels)))
      motions.append(UnsafePointer(flow))
      pyramids.append(UnsafePointer(floats(other.pyramid)))
    }
    return picture
  }

  func fuse(
    _ pictures: [any FusionPicture], at place: Int, noise: Float, history: (any FusionHistory)?,
    into fused: inout [Float]
  ) {
    precondition(fused.count == height * width * 3, "\(fused.count) values for \(width)x\(height)")
    let picture = findMotion(in: pictures, at: place)
    tdm_noise_levels(&levels, floats(picture.pixels), width, height)
    tdm_noise_along_motion(
      &along, floats(picture.pixels), floats(picture.pyramid), others, pyramids, motions,
      others.count, width, height)
    var found = tdm_noise_of(levels, along, noise)
    let still = history.map(own).flatMap { $0.isEmpty ? nil : $0 }
    fused.withUnsafeMutableBufferPointer { fused in
      tdm_fusion(
        fused.baseAddress, floats(picture.pixels), others, motions, others.count, width, height,
        &found, still.map { floats($0.weights) }, floats(bands), threads)
      guard let still else { return }
      tdm_history_blend(
        fused.baseAddress, floats(still.weights), floats(still.mean), floats(still.counts), width,
        height, &found, floats(bands), threads)
    }
  }

  func fuseByRank(_ pictures: [any FusionPicture], at place: Int, into fused: inout [Float]) {
    precondition(fused.count == height * width * 3, "\(fused.count) values for \(width)x\(height)")
    // Of two none can be told to be free of rain: no motion is needed.
    if pictures.count < 3 { return store(pictures[place], into: &fused) }
    let picture = findMotion(in: pictures, at: place)
    tdm_rank_fusion(
      &fused, floats(picture.pixels), others, motions, others.count, width, height, floats(bands),
      threads)
  }

  func take(_ picture: any FusionPicture, into history: any FusionHistory, most: Int) {
    let history = own(history)
    tdm_history_take(
      floats(history.mean), floats(history.counts), floats(own(picture).pixels), width * height,
      Float(most), threads)
    history.isEmpty = false
  }

  func clear(_ history: any FusionHistory) {
    let history = own(history)
    for memory in [history.mean, history.counts] {
      memory.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: memory.byteCount)
    }
    history.isEmpty = true
  }

  private func own(_ history: any FusionHistory) -> History {
    guard let own = history as? History else { preconditionFailure("a history of another device") }
    return own
  }

  private func own(_ picture: any FusionPicture) -> Picture {
    guard let own = picture as? Picture else { preconditionFailure("a picture of another device") }
    return own
  }

  private func floats(_ memory: AlignedMemory) -> UnsafeMutablePointer<Float> {
    memory.pointer.assumingMemoryBound(to: Float.self)
  }
}

extension CPUDevice {
  public func makeMotionFusion(height: Int, width: Int) -> any MotionFusion {
    CPUMotionFusion(height: height, width: width, threads: threads)
  }

  public func motionFusionByteCount(
    height: Int, width: Int, pictures: Int, others: Int, histories: Int
  ) -> Int {
    CPUMotionFusion.byteCount(
      height: height, width: width, threads: threads, pictures: pictures, others: others,
      histories: histories)
  }
}
