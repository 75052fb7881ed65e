import Diagnostics

/// The pages of an Ogg file (RFC 3533), held against their checksums before libsndfile sees any: it passes over a
/// damaged page without a word, does not know the length of a file that ends within a page, and reads one of several
/// streams that lie one behind the other.
struct OggPages {
  /// The whole pages of each stream, one behind the other; at least one stream.
  private(set) var streams: [Range<Int>] = []
  /// Whether the file ends within a page. Not every file says which page is its last.
  private(set) var endsWithinPage = false

  /// - Throws: `.badData` for pages that are damaged, are missing or belong to several streams at once.
  init(_ bytes: SoundBytes) throws(Failure) {
    var page = [UInt8](repeating: 0, count: Self.longest)
    var (position, number, serial) = (0, UInt32(0), UInt64(0))
    var isLast = false
    /// How the first packet of each stream begins: the coding.
    var coding: ArraySlice<UInt8> = []
    while position < bytes.count {
      let there = try Self.read(bytes, at: position, into: &page)
      guard page[..<min(4, there)].elementsEqual(Array("OggS".utf8).prefix(there)) else {
        // Behind a last page there may be tags.
        if isLast { break }
        throw Self.damage(bytes, "no page begins at byte \(position)")
      }
      guard let length = Self.length(of: page, there) else {
        endsWithinPage = true
        break
      }
      guard page[4] == 0, Self.checksum(page, length) == UInt32(page.unsigned(at: 22, size: 4)) else {
        throw Self.damage(bytes, "the page at byte \(position) does not fit its checksum")
      }
      if page[5] & 2 != 0 || position == 0 {
        let packet = 27 + Int(page[26])
        let head = page[packet..<max(packet, min(packet + 7, length))]
        if position == 0 { coding = head }
        guard page[5] & 2 != 0, head.elementsEqual(coding) else {
          throw Self.several(bytes, "of different kinds")
        }
        streams.append(position..<position)
        (number, serial) = (0, page.unsigned(at: 14, size: 4))
      }
      guard page.unsigned(at: 14, size: 4) == serial else { throw Self.several(bytes, "at once") }
      guard page.unsigned(at: 18, size: 4) == number else {
        throw Self.damage(bytes, "pages are missing before byte \(position)")
      }
      isLast = page[5] & 4 != 0
      number &+= 1
      position += length
      streams[streams.count - 1] = streams.last!.lowerBound..<position
    }
    guard !streams.isEmpty else { throw Self.damage(bytes, "it ends within its first page") }
  }

  /// 27 bytes, 255 lengths, and 255 segments of 255 bytes.
  private static let longest = 27 + 255 + 255 * 255

  private static func damage(_ bytes: SoundBytes, _ what: String) -> Failure {
    Failure(.badData, "\(bytes.path): the Ogg is damaged: \(what)")
  }

  private static func several(_ bytes: SoundBytes, _ how: String) -> Failure {
    Failure(
      .badData,
      "\(bytes.path): is Ogg of several streams \(how), which is not read; convert it: ffmpeg -i IN -vn OUT.wav"
    )
  }

  private static func read(_ bytes: SoundBytes, at position: Int, into page: inout [UInt8]) throws(Failure)
    -> Int
  {
    var failure: Failure?
    let count = page.withUnsafeMutableBytes { page in
      do throws(Failure) {
        return try bytes.read(into: page, at: position)
      } catch {
        failure = error
        return 0
      }
    }
    if let failure { throw failure }
    return count
  }

  /// The bytes of a page; nil if not all are there.
  private static func length(of page: [UInt8], _ there: Int) -> Int? {
    guard there >= 27 else { return nil }
    let head = 27 + Int(page[26])
    guard there >= head else { return nil }
    let length = head + page[27..<head].reduce(0) { $0 + Int($1) }
    return there >= length ? length : nil
  }

  /// The checksum of a page, its own four bytes taken as 0: CRC-32 with polynomial 0x04C11DB7, the highest bit first.
  private static func checksum(_ page: [UInt8], _ length: Int) -> UInt32 {
    page.withUnsafeBufferPointer { page in
      table.withUnsafeBufferPointer { table in
        var sum: UInt32 = 0
        for n in 0..<length {
          let byte = (22..<26).contains(n) ? 0 : page[n]
          sum = sum << 8 ^ table[Int(UInt8(truncatingIfNeeded: sum >> 24) ^ byte)]
        }
        return sum
      }
    }
  }

  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index) << 24) { sum, _ in sum << 1 ^ (sum >> 31 == 1 ? 0x04C1_1DB7 : 0) }
  }
}
