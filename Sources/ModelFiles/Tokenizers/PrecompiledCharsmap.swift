/// SentencePiece's rules for characters (NFKC and the like), as a model carries them: what stands
/// for what.
///
/// The bytes are the size of a trie in bytes, 4 of them; the trie, a double array of 4-byte units
/// as Darts-clone writes it; and the replacements, each ended by a 0, of which the trie has the
/// offsets. All little-endian.
///
/// They are applied as the Rust crates `tokenizers` and `spm_precompiled` do, not as SentencePiece
/// does: character by character as people see them (extended grapheme clusters), by the shortest
/// rule that fits the start.
struct PrecompiledCharsmap: Sendable {
  /// In bytes. Unicode's own longest (NFKC) takes 33; what is much longer would make gigabytes of a
  /// few words.
  private static let longestReplacement = 64

  private let units: [UInt32]
  private let replacements: [UInt8]

  /// - Parameter place: what errors call the file.
  init(_ bytes: [UInt8], place: String) throws(ModelError) {
    func unit(_ offset: Int) -> UInt32 {
      bytes[offset..<offset + 4].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    guard bytes.count >= 8, case let size = Int(unit(0)), size >= 4, size % 4 == 0,
      size <= bytes.count - 4
    else {
      throw ModelError(
        "\(place): precompiled_charsmap: expected a trie's size and a trie, found \(bytes.count) bytes that "
          + "are no such thing: copy the file again")
    }
    units = stride(from: 4, to: 4 + size, by: 4).map(unit)
    replacements = Array(bytes[(4 + size)...])
    guard String(validating: replacements, as: UTF8.self) != nil else {
      throw ModelError(
        "\(place): precompiled_charsmap: expected replacements in UTF-8: copy the file again")
    }
    let longest = replacements.split(separator: 0).map(\.count).max() ?? 0
    guard longest <= Self.longestReplacement else {
      throw ModelError(
        "\(place): precompiled_charsmap: expected replacements of \(Self.longestReplacement) bytes at most, "
          + "found one of \(longest): copy the file again")
    }
  }

  /// The text with every rule applied.
  /// - Complexity: O(n) in its bytes, each of which may become ``longestReplacement``.
  func normalize(_ text: String) -> String {
    var normalized: [UInt8] = []
    normalized.reserveCapacity(text.utf8.count)
    for character in text {
      // No longer ones are looked up whole.
      if character.utf8.count < 6, let replacement = replacement(for: character.utf8) {
        normalized += replacement
        continue
      }
      for scalar in character.unicodeScalars {
        let bytes = UTF8.encode(scalar)!
        if let replacement = replacement(for: bytes) {
          normalized += replacement
        } else {
          normalized += bytes
        }
      }
    }
    return String(decoding: normalized, as: UTF8.self)
  }

  /// What the shortest rule says that fits the start of `bytes`; it replaces all of them.
  private func replacement(for bytes: some Sequence<UInt8>) -> ArraySlice<UInt8>? {
    // The root's label is not asked for. A damaged trie may lead anywhere: what is not there fits
    // nothing.
    var position = Self.offset(units[0])
    for byte in bytes {
      position ^= Int(byte)
      guard byte != 0, position < units.count, Self.label(units[position]) == UInt32(byte) else {
        return nil
      }
      let unit = units[position]
      position ^= Self.offset(unit)
      guard Self.hasLeaf(unit) else { continue }
      guard position < units.count else { return nil }
      return replacement(at: Int(units[position] & 0x7FFF_FFFF))
    }
    return nil
  }

  private func replacement(at start: Int) -> ArraySlice<UInt8>? {
    guard start < replacements.count, !UTF8.isContinuation(replacements[start]) else { return nil }
    return replacements[start...].prefix { $0 != 0 }
  }

  /// Whether a key ends at the unit.
  private static func hasLeaf(_ unit: UInt32) -> Bool { unit >> 8 & 1 == 1 }

  /// The byte that leads to the unit; none, for one with a value.
  private static func label(_ unit: UInt32) -> UInt32 { unit & 0x8000_00FF }

  /// What the position of a unit and those of its children differ by.
  private static func offset(_ unit: UInt32) -> Int {
    Int(unit >> 10) << Int((unit & 0x200) >> 6)
  }
}
