import Diagnostics

/// The pages of an Ogg stream (RFC 3533), held against their checksums before libsndfile sees any: it passes over a
/// damaged page without a word, and does not know the length of a file whose last page is missing.
struct OggPages {
  /// Where the last whole page ends.
  let end: Int
  /// Whether the last page says that it is the last.
  let isComplete: Bool

  /// - Throws: `.badData` for pages that are damaged, are missing or belong to several streams.
  init(_ bytes: SoundBytes) throws(Failure) {
    var page = [UInt8](repeating: 0, count: Self.longest)
    var position = 0
    var number: UInt32 = 0
    var serial: UInt64?
    var isLast = false
    while !isLast {
      let there = try Self.read(bytes, at: position, into: &page)
      guard there >= 4 else { break }
      guard page.has("OggS") else {
        throw Self.damage(bytes, "no page begins at byte \(position)")
      }
      guard let length = Self.length(of: page, there) else { break }
      guard page[4] == 0, Self.checksum(page, length) == UInt32(page.unsigned(at: 22, size: 4)) else {
        throw Self.damage(bytes, "the page at byte \(position) does not fit its checksum")
      }
      let isFirst = page[5] & 2 != 0
      guard isFirst == (position == 0),
        page.unsigned(at: 14, size: 4) == serial ?? page.unsigned(at: 14, size: 4)
      else {
        throw Failure(
          .badData,
          "\(bytes.path): is Ogg of several streams, where one is read; convert it: ffmpeg -i IN OUT.wav")
      }
      serial = page.unsigned(at: 14, size: 4)
      guard page.unsigned(at: 18, size: 4) == number else {
        throw Self.damage(bytes, "pages are missing before byte \(position)")
      }
      number &+= 1
      isLast = page[5] & 4 != 0
      position += length
    }
    end = position
    isComplete = isLast
    if isLast, try bytes.bytes(at: position, atMost: 4).has("OggS") {
      throw Failure(
        .badData,
        "\(bytes.path): is several Ogg streams one behind the other, where one is read; "
          + "convert it: ffmpeg -i IN OUT.wav")
    }
  }

  /// 27 bytes, 255 lengths, and 255 segments of 255 bytes.
  private static let longest = 27 + 255 + 255 * 255

  private static func damage(_ bytes: SoundBytes, _ what: String) -> Failure {
    Failure(.badData, "\(bytes.path): the Ogg is damaged: \(what)")
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
