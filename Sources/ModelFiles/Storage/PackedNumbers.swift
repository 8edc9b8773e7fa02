import StrictJSON

/// How a file of a packed model keeps its 16-bit floating-point numbers: those that are few steps
/// from 0 as signed bytes, all others parted into low and high bytes.
///
/// `Protocol/model-files.md` describes it.
struct PackedNumbers: Sendable {
  /// Numbers that follow each other.
  private struct Run {
    let count: Int
    /// Of 2, which is their step; nil where none is kept in steps.
    let exponent: Int?
  }

  /// Of these are a byte's multiples numbers of 16 bits, exactly.
  private static let exponents = -24...9
  /// Among steps: the number is among those that are parted.
  private static let elsewhere: Int8 = .min

  /// The byte of the file from which on it holds numbers, to its end.
  private let start: Int
  private let runs: [Run]
  /// Numbers that are kept in steps, but for those that say that they are elsewhere.
  private let stepCount: Int

  /// - Parameters:
  ///   - entry: the file's in the index.
  ///   - size: the file's, in bytes.
  /// - Returns: nil where the file has no such numbers.
  /// - Throws: ``Misfit`` where the entry does not fit the size.
  init?(_ entry: JSON, size: Int) throws(Misfit) {
    guard let from = entry.object?["planesFrom"] else { return nil }
    guard let start = from.integer, (0...size).contains(start), (size - start) % 2 == 0 else {
      throw Misfit(reason: "planesFrom \(from.summary) does not fit its size \(size)")
    }
    self.start = start
    let count = (size - start) / 2
    guard let steps = entry.object?["steps"] else {
      (runs, stepCount) = ([Run(count: count, exponent: nil)], 0)
      return
    }
    var (runs, stepCount, left) = ([Run](), 0, count)
    for item in steps.array ?? [] {
      let numbers = (item.array ?? []).map(\.integer)
      guard (1...2).contains(numbers.count), let count = numbers[0], count >= 1, count <= left,
        numbers.count == 1 || numbers[1].map(Self.exponents.contains) == true
      else { throw Misfit(reason: "steps \(item.summary) do not fit its size \(size)") }
      let run = Run(count: count, exponent: numbers.count == 2 ? numbers[1] : nil)
      runs.append(run)
      left -= count
      if run.exponent != nil { stepCount += count }
    }
    guard left == 0 else { throw Misfit(reason: "steps leave \(left) of its numbers out") }
    (self.runs, self.stepCount) = (runs, stepCount)
  }

  /// What is wrong with an entry.
  struct Misfit: Error { let reason: String }

  /// The most bytes that are kept of a file of this size.
  func mostKept(of size: Int) -> Int { size + stepCount }

  /// Makes the file of what is kept of it.
  /// - Returns: whether that is as long as the file's numbers want it.
  func unpack(_ kept: UnsafeRawBufferPointer, into file: UnsafeMutableRawBufferPointer) -> Bool {
    let partedBytes = kept.count - start - stepCount
    guard partedBytes >= 0, partedBytes % 2 == 0 else { return false }
    let partedCount = partedBytes / 2
    file.copyMemory(from: UnsafeRawBufferPointer(rebasing: kept[..<start]))
    var steps = kept[start..<start + stepCount]
    let low = kept[(start + stepCount)...].prefix(partedCount)
    let high = kept[(start + stepCount)...].dropFirst(partedCount)
    var (place, parted) = (start, 0)
    func put(_ number: UInt16) {
      file.storeBytes(of: number.littleEndian, toByteOffset: place, as: UInt16.self)
      place += 2
    }
    func putParted() -> Bool {
      guard parted < partedCount else { return false }
      put(UInt16(high[high.startIndex + parted]) << 8 | UInt16(low[low.startIndex + parted]))
      parted += 1
      return true
    }
    for run in runs {
      guard let exponent = run.exponent else {
        for _ in 0..<run.count where !putParted() { return false }
        continue
      }
      let numbers = (UInt8.min ... .max).map { code in
        Float16(
          Float(sign: .plus, exponent: exponent, significand: 1) * Float(Int8(bitPattern: code))
        )
        .bitPattern
      }
      for code in steps.prefix(run.count) {
        if Int8(bitPattern: code) != Self.elsewhere {
          put(numbers[Int(code)])
        } else if !putParted() {
          return false
        }
      }
      steps = steps.dropFirst(run.count)
    }
    return parted == partedCount
  }
}
