/// Byte-pair encoding (Sennrich et al. 2016) over bytes, with marks for the end of a word, as CLIP
/// uses it.
///
/// A word starts as its bytes; of all neighbouring pairs that the table knows, the one of lowest
/// rank is merged, the leftmost first, until no known pair is left.
struct BytePairEncoding: Sendable {
  /// Ends a word's last symbol.
  static let wordEnd = "</w>"

  private struct Merge {
    let rank: Int32
    let result: Int32
  }

  /// Token of each byte within a word, and of each byte that ends one.
  private let inner: [Int32]
  private let ending: [Int32]
  private let merges: [UInt64: Merge]

  /// - Parameters:
  ///   - vocabulary: ids of the symbols.
  ///   - pairs: by rank.
  ///   - unknown: the id of a symbol that the vocabulary lacks.
  ///   - place: what errors call the file of pairs.
  init(
    vocabulary: [String: Int32], pairs: [(String, String)], unknown: Int32, place: String
  ) throws(ModelError) {
    let symbols = Self.byteSymbols
    inner = symbols.map { vocabulary[$0] ?? unknown }
    ending = symbols.map { vocabulary[$0 + Self.wordEnd] ?? unknown }
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(pairs.count)
    for (rank, pair) in pairs.enumerated() {
      guard let first = vocabulary[pair.0], let second = vocabulary[pair.1],
        let result = vocabulary[pair.0 + pair.1]
      else {
        throw ModelError(
          "\(place): pair \(rank + 1), \"\(pair.0) \(pair.1)\": the vocabulary lacks one of the two or "
            + "what they make: the tokenizer's files do not belong together")
      }
      merges[Self.key(first, second)] = Merge(rank: Int32(rank), result: result)
    }
    self.merges = merges
  }

  private static func key(_ first: Int32, _ second: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: first)) << 32 | UInt64(UInt32(bitPattern: second))
  }

  /// GPT-2's printable stand-in for each byte: itself where it is printable in Latin-1, else the
  /// next from U+0100.
  static let byteSymbols: [String] = {
    var extra: UInt32 = 256
    return (0..<256).map { byte in
      let printable = (33...126).contains(byte) || (161...172).contains(byte) || byte >= 174
      defer { if !printable { extra += 1 } }
      return String(Character(Unicode.Scalar(printable ? UInt32(byte) : extra)!))
    }
  }()

  private struct Symbol {
    var token: Int32
    var previous: Int
    var next: Int
    var isMerged = false
  }

  private struct Candidate: Comparable {
    let rank: Int32
    let position: Int
    let result: Int32

    static func < (one: Candidate, other: Candidate) -> Bool {
      (one.rank, one.position) < (other.rank, other.position)
    }
  }

  /// The tokens of one word.
  /// - Complexity: O(n log n) in its bytes.
  func encode(_ word: String) -> [Int32] {
    let bytes = Array(word.utf8)
    var symbols = bytes.indices.map { index in
      let isLast = index == bytes.count - 1
      return Symbol(
        token: (isLast ? ending : inner)[Int(bytes[index])], previous: index - 1,
        next: isLast ? -1 : index + 1)
    }
    var queue = PriorityQueue<Candidate>()
    func consider(_ left: Int) {
      guard left >= 0, symbols[left].next >= 0 else { return }
      let right = symbols[symbols[left].next].token
      guard let merge = merges[Self.key(symbols[left].token, right)] else { return }
      queue.push(Candidate(rank: merge.rank, position: left, result: merge.result))
    }
    for index in symbols.indices { consider(index) }
    while let candidate = queue.pop() {
      let left = candidate.position
      let right = symbols[left].next
      // Either neighbour may have been merged since this was queued.
      guard !symbols[left].isMerged, right >= 0,
        merges[Self.key(symbols[left].token, symbols[right].token)]?.result == candidate.result
      else { continue }
      symbols[left].token = candidate.result
      symbols[left].next = symbols[right].next
      symbols[right].isMerged = true
      if symbols[left].next >= 0 { symbols[symbols[left].next].previous = left }
      consider(symbols[left].previous)
      consider(left)
    }
    return symbols.lazy.filter { !$0.isMerged }.map(\.token)
  }
}
