import Diagnostics

/// MP3 (and layer II), decoded by libmpg123 out of our own reads, as libsndfile and ffmpeg decode it: what a
/// LAME tag names as the encoder's delay and padding is cut off.
///
/// Its frames are counted before. libsndfile stops at an estimate of the length where no tag says it.
final class MpegDecoder: SampleDecoder {
  private let bytes: SoundBytes
  private let cursor: ByteCursor
  private var stream: MpegStream

  let rate: Int
  let channels: Int
  let frames: Int?
  var mayBeNonFinite: Bool { true }
  private(set) var shortfall: String?
  /// Whether a tag tells how many MPEG frames there are, and there are.
  private let isAllThere: Bool

  init(_ bytes: SoundBytes) throws(Failure) {
    self.bytes = bytes
    cursor = ByteCursor(bytes)
    stream = try MpegStream(cursor, bytes.path)
    (rate, channels) = (stream.rate, stream.channels)
    let first = stream.framePosition
    let (counted, samples) = try stream.count()
    let promised = try Self.promise(bytes, before: first)
    isAllThere = promised.map { counted >= $0 } ?? false
    if let promised, !isAllThere {
      shortfall = "is cut short: \(counted) of the \(promised) MPEG frames of its header are there"
      frames = nil
      try rewind()
    } else {
      frames = samples
    }
  }

  func decode(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int {
    let count = try stream.read(into: buffer)
    if count == 0, shortfall == nil, !isAllThere { shortfall = try tailFault() }
    return count
  }

  /// To give the same samples from the middle on, so many MPEG frames before would have to be decoded as hold the bits
  /// that the first one borrows: how many, only the first one tells.
  func seek(toFrame frame: Int) -> Bool { false }

  func rewind() throws(Failure) {
    stream = try MpegStream(cursor, bytes.path)
    // A handle that has counted more or fewer frames than its tag tells no longer believes the tag in anything. Where
    // the end alone is missing, the delay at the beginning is still true.
    if frames != nil { _ = try stream.count() }
  }

  /// The number of MPEG frames in the tag of the frame before the first one of sound (Xing's, and LAME's "Info").
  private static func promise(_ bytes: SoundBytes, before first: Int) throws(Failure) -> Int? {
    let start = max(0, first - longestFrame)
    let before = try bytes.bytes(at: start, atMost: first - start)
    // Behind a header of four bytes and side information of 9, 17 or 32.
    for offset in stride(from: before.count - 12, through: 13, by: -1)
    where before.has("Xing", at: offset) || before.has("Info", at: offset) {
      let isFrame = [13, 21, 36].contains { $0 <= offset && before.isMPEGFrame(at: offset - $0) }
      guard isFrame, before[offset + 7] & 1 != 0 else { continue }
      return before[offset + 8..<offset + 12].reduce(0) { $0 << 8 | Int($1) }
    }
    return nil
  }

  /// Of layer III at 320 kbit/s and 32 kHz, and more.
  private static let longestFrame = 4_096

  /// What is wrong behind the last MPEG frame, where there may be tags and zeros; nil if nothing is.
  private func tailFault() throws(Failure) -> String? {
    var position = stream.endOfFrame
    let head = try bytes.bytes(at: position, atMost: 16)
    if head.isEmpty || ["TAG", "ID3", "APETAGEX", "LYRICSBEGIN"].contains(where: { head.has($0) }) {
      return nil
    }
    if head.isMPEGFrame(at: 0) || head == [0xFF] { return "is cut short: it ends within an MPEG frame" }
    while position < bytes.count {
      let block = try bytes.bytes(at: position, atMost: 1 << 16)
      guard block.allSatisfy({ $0 == 0 }) else {
        return "is damaged: no MPEG frame follows the one that ends at byte \(stream.endOfFrame)"
      }
      position += block.count
    }
    return nil
  }
}

extension [UInt8] {
  /// Whether eleven bits that begin each header of an MPEG frame stand at `offset`.
  fileprivate func isMPEGFrame(at offset: Int) -> Bool {
    count >= offset + 2 && self[offset] == 0xFF && self[offset + 1] & 0xE0 == 0xE0
  }
}
