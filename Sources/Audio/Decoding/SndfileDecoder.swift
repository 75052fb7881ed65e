import Diagnostics

/// FLAC, Ogg Vorbis and Ogg Opus, decoded by libsndfile out of our own reads.
///
/// Opus comes at the rate that its header names as that of its origin, if Opus knows it (8, 12, 16, 24, 48 kHz), else
/// at 48 kHz.
final class SndfileDecoder: SampleDecoder {
  let rate: Int
  let channels: Int
  let frames: Int?
  var mayBeNonFinite: Bool { kind != .flac }
  private(set) var shortfall: String?

  private let kind: SoundFile.Kind
  private let path: String
  /// What is decoded, one behind the other: an Ogg file may be several streams.
  private let parts: [SoundBytes]
  /// The part that is decoded now, and how.
  private var part = 0
  private var stream: SndfileStream
  /// The frame that is read next.
  private var position = 0

  init(_ bytes: SoundBytes, _ kind: SoundFile.Kind) throws(Failure) {
    (self.kind, path) = (kind, bytes.path)
    if kind == .flac {
      parts = [bytes]
    } else {
      let pages = try OggPages(bytes)
      parts = pages.streams.map { bytes[$0] }
      if pages.endsWithinPage { shortfall = "is cut short: it ends within a page of the Ogg stream" }
    }
    stream = try SndfileStream(parts[0])
    (rate, channels) = (stream.rate, stream.channels)
    frames = parts.count == 1 ? stream.frames : nil
  }

  func decode(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int {
    while true {
      let count = try stream.read(into: buffer)
      position += count
      if count > 0 { return count }
      if shortfall == nil, parts.count == 1 { shortfall = missing }
      guard part + 1 < parts.count else { return 0 }
      try open(part + 1)
    }
  }

  func seek(toFrame frame: Int) throws(Failure) -> Bool {
    // After a seek Opus needs some time until it gives the same samples again, and libsndfile's place in Vorbis is not
    // always the one that was asked for.
    guard kind == .flac, frames != nil else { return false }
    guard try stream.seek(toFrame: frame) else {
      try rewind()
      return false
    }
    position = frame
    return true
  }

  func rewind() throws(Failure) {
    try open(0)
    position = 0
  }

  /// How the end shows that something was not decoded.
  private var missing: String? {
    guard let frames else {
      return stream.error.map { "is damaged or cut short after \(position) frames: \($0)" }
    }
    // Where no page of Opus says that it is the last, libsndfile gives a few milliseconds less than it promises.
    let tolerance = kind == .opus ? rate / 50 : 0
    guard position + tolerance < frames else { return nil }
    return "is damaged or cut short: \(position) of the \(frames) frames of its header can be decoded"
  }

  private func open(_ part: Int) throws(Failure) {
    stream = try SndfileStream(parts[part])
    self.part = part
    guard stream.rate == rate, stream.channels == channels else {
      throw Failure(
        .badData,
        "\(path): changes in the middle from \(channels) channels at \(rate) Hz to \(stream.channels) at \(stream.rate)"
      )
    }
  }
}
