import Diagnostics
import TensorFiles

/// A sound file, decoded a block at a time; samples interleaved, full scale ±1.
///
/// What a file is, is told by its first bytes and never by its name. WAV is read here, FLAC and Ogg by libsndfile, MP3
/// by libmpg123; no other bytes reach a library. A header is believed in nothing that can be counted: how long a file
/// is shows when it has been read. Memory does not depend on the length.
///
/// Integer samples of b bits are divided by 2^(b-1), those of 8 bits, which are unsigned, after 128 was taken off, as
/// libsndfile and torchaudio do it.
public struct SoundFile: ~Copyable {
  /// The kinds of file that are read.
  public enum Kind: String, Sendable {
    case wav = "WAV"
    case flac = "FLAC"
    case vorbis = "Ogg Vorbis"
    case opus = "Ogg Opus"
    case mp3 = "MP3"
  }

  /// What is still read; a file beyond is refused.
  public struct Limits: Sendable {
    /// Samples a second.
    public var rate = AudioSettings.rates
    /// Channels.
    public var channels = 1...16
    /// The longest recording.
    public var seconds = 7_200
    /// Bytes of the file.
    public var bytes = 2 << 30

    /// 4 to 192 kHz, 16 channels, two hours, 2 GiB.
    public init() {}
  }

  /// Samples a second of a channel.
  public let rate: Int
  /// Channels, of which a frame has a sample each.
  public let channels: Int
  /// What it is.
  public let kind: Kind
  /// Frames that the header promises; nil where it says nothing that can be believed.
  public let frames: Int?

  private let terms: Terms
  private let decoder: any SampleDecoder
  /// The frame that is read next.
  private var position = 0

  /// Opens a sound.
  ///
  /// - Parameters:
  ///   - range: the bytes of a member of an archive; nil for the whole file.
  ///   - truncated: what becomes of a file that ends before its header says so.
  /// - Throws: `.missingInput` if there is no file, `.badData` if it is no file or no sound that is read, is damaged,
  ///   cut short or beyond the limits, `.inputOutput` if reading fails.
  public init(
    path: String, range: Range<Int>? = nil, truncated: AudioSettings.Truncated = .error,
    limits: Limits = Limits()
  ) throws(Failure) {
    let (kind, decoder) = try Self.open(path, range, limits)
    let terms = Terms(
      path: path, truncated: truncated, seconds: limits.seconds, frames: limits.seconds * decoder.rate)
    try terms.checkEnd(of: decoder)
    if let frames = decoder.frames, frames > terms.frames { throw terms.tooLong }
    (self.kind, self.decoder, self.terms) = (kind, decoder, terms)
    (rate, channels, frames) = (decoder.rate, decoder.channels, decoder.frames)
  }

  private static func open(
    _ path: String, _ range: Range<Int>?, _ limits: Limits
  ) throws(Failure) -> (Kind, any SampleDecoder) {
    func check(_ value: Int, _ allowed: ClosedRange<Int>, _ unit: String) throws(Failure) {
      guard !allowed.contains(value) else { return }
      throw Failure(
        .badData,
        "\(path): has \(value) \(unit), where \(allowed.lowerBound) to \(allowed.upperBound) are read")
    }
    let bytes = SoundBytes(try InputFile(path: path), range)
    guard bytes.end <= bytes.file.byteCount else {
      throw Failure(
        .badData, "\(path): has \(bytes.file.byteCount) bytes, where a sound was to end at byte \(bytes.end)")
    }
    guard bytes.count > 0 else { throw Failure(.badData, "\(path): is empty, where a sound is needed") }
    try check(bytes.count, 1...limits.bytes, "bytes")
    let (kind, offset) = try Kind.find(in: bytes)
    let decoder: any SampleDecoder =
      switch kind {
      case .wav: try WaveDecoder(bytes)
      case .flac, .vorbis, .opus: try SndfileDecoder(bytes[offset..<bytes.count], kind)
      case .mp3: try MpegDecoder(bytes)
      }
    try check(decoder.rate, limits.rate, "samples a second")
    try check(decoder.channels, limits.channels, "channels")
    return (kind, decoder)
  }

  /// Decodes what comes next.
  ///
  /// - Parameter buffer: receives interleaved samples; at least one frame of them.
  /// - Returns: frames: as many as fit but at the end, where there are fewer, and then 0.
  /// - Throws: `.badData` for damage, for what is cut short, has no samples or is too long, and for a sample that is
  ///   no finite number; `.inputOutput` if reading fails.
  public mutating func read(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int {
    let wanted = buffer.count / channels
    precondition(wanted > 0, "room for \(buffer.count) samples holds no frame of \(channels)")
    var done = 0
    while done < wanted {
      let rest = UnsafeMutableBufferPointer(rebasing: buffer[(done * channels)..<(wanted * channels)])
      let count = try decoder.decode(into: rest)
      guard count > 0 else { break }
      if decoder.mayBeNonFinite {
        try terms.checkFinite(rest[..<(count * channels)], channels, from: position + done)
      }
      done += count
      guard position + done <= terms.frames else { throw terms.tooLong }
    }
    position += done
    if done == 0 {
      try terms.checkEnd(of: decoder)
      guard position > 0 else { throw Failure(.badData, "\(terms.path): has no samples") }
    }
    return done
  }

  /// Moves to a frame, exactly: at once where that can be, else by decoding what is before it.
  ///
  /// - Throws: `.badData` if the sound ends before it, and as `read(into:)`.
  public mutating func seek(toFrame frame: Int) throws(Failure) {
    precondition(frame >= 0, "no frame: \(frame)")
    if let frames, frame > frames { throw terms.missing(frame, of: frames) }
    guard frame != position else { return }
    if try decoder.seek(toFrame: frame) {
      position = frame
      return
    }
    if frame < position {
      try decoder.rewind()
      position = 0
    }
    var failure: Failure?
    withUnsafeTemporaryAllocation(of: Float.self, capacity: Self.skipped * channels) { buffer in
      do throws(Failure) {
        while position < frame {
          let part = UnsafeMutableBufferPointer(
            rebasing: buffer[..<(min(Self.skipped, frame - position) * channels)])
          guard try read(into: part) > 0 else { throw terms.missing(frame, of: position) }
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Frames decoded at a time where they are not wanted.
  private static let skipped = 1024
}

/// What a file is held to while it is read.
private struct Terms {
  let path: String
  let truncated: AudioSettings.Truncated
  let seconds: Int
  /// The most frames that are read.
  let frames: Int

  var tooLong: Failure {
    Failure(.badData, "\(path): is longer than the \(seconds) seconds that are read; cut it into pieces")
  }

  func missing(_ frame: Int, of frames: Int) -> Failure {
    Failure(.badData, "\(path): has \(frames) frames, where frame \(frame) is wanted")
  }

  func checkEnd(of decoder: any SampleDecoder) throws(Failure) {
    guard truncated == .error, let shortfall = decoder.shortfall else { return }
    throw Failure(
      .badData,
      "\(path): \(shortfall); \"audio.truncated: accept\" takes what there is of such files")
  }

  func checkFinite(
    _ samples: Slice<UnsafeMutableBufferPointer<Float>>, _ channels: Int, from frame: Int
  ) throws(Failure) {
    // No exponent of all ones but in what is not finite; without a branch, for the vector unit.
    var worst: UInt32 = 0
    for sample in samples { worst = max(worst, sample.bitPattern & 0x7F80_0000) }
    guard worst == 0x7F80_0000, let index = samples.firstIndex(where: { !$0.isFinite }) else { return }
    let what = samples[index].isNaN ? "not a number" : "infinite"
    let place = channels == 1 ? "" : " of channel \(index % channels)"
    throw Failure(.badData, "\(path): sample \(frame + index / channels)\(place) is \(what)")
  }
}

/// What turns a file's bytes into samples, of one file from its beginning to its end.
protocol SampleDecoder: AnyObject {
  var rate: Int { get }
  var channels: Int { get }
  /// Frames that the header promises and that the file is long enough for.
  var frames: Int? { get }
  /// Whether its samples are those of somebody's floating point.
  var mayBeNonFinite: Bool { get }
  /// How the file shows, so far, that its end is missing: "is cut short: … of … are there".
  var shortfall: String? { get }

  /// Decodes some frames, at most as many as fit; 0 at the end.
  func decode(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int
  /// Moves to a frame that is at most `frames` if it can be done exactly; otherwise false, and nothing has happened.
  func seek(toFrame frame: Int) throws(Failure) -> Bool
  /// Moves to the beginning.
  func rewind() throws(Failure)
}
