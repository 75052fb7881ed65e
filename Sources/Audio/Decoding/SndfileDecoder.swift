import CSndfile
import Diagnostics
import Synchronization

/// FLAC, Ogg Vorbis and Ogg Opus, decoded by libsndfile out of our own reads.
///
/// Opus comes at the rate that its header names as that of its origin, if Opus knows it (8, 12, 16, 24, 48 kHz), else at
/// 48 kHz.
final class SndfileDecoder: SampleDecoder {
  private let cursor: ByteCursor
  private let kind: SoundFile.Kind
  private var handle: OpaquePointer
  private let information: SF_INFO
  /// The frame that is read next.
  private var position = 0
  /// What libsndfile said when it gave less than it was asked for.
  private var error: String?

  var rate: Int { Int(information.samplerate) }
  var channels: Int { Int(information.channels) }
  /// libsndfile says the greatest number where it knows none.
  var frames: Int? {
    information.frames > 0 && information.frames < Int64.max ? Int(information.frames) : nil
  }
  var mayBeNonFinite: Bool { kind != .flac }
  private(set) var shortfall: String?

  init(_ bytes: SoundBytes, _ kind: SoundFile.Kind) throws(Failure) {
    self.kind = kind
    var end = bytes.count
    if kind != .flac {
      let pages = try OggPages(bytes)
      end = pages.end
      if !pages.isComplete { shortfall = "is cut short: the last page of the Ogg stream is missing" }
    }
    cursor = ByteCursor(bytes, count: end)
    (handle, information) = try Self.open(cursor, bytes.path)
    path = bytes.path
  }

  deinit { sf_close(handle) }

  func decode(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int {
    let wanted = sf_count_t(buffer.count / channels)
    let count = max(0, sf_readf_float(handle, buffer.baseAddress!, wanted))
    if let failure = cursor.failure { throw failure }
    position += Int(count)
    // The next call forgets what was wrong in this one.
    if count < wanted, error == nil, sf_error(handle) != 0 { error = Self.text(of: handle) }
    if count == 0, shortfall == nil {
      if let frames, position < frames {
        shortfall =
          "is damaged or cut short: \(position) of the \(frames) frames of its header can be decoded"
      } else if frames == nil, let error {
        shortfall = "is damaged or cut short after \(position) frames: \(error)"
      }
    }
    return Int(count)
  }

  func seek(toFrame frame: Int) throws(Failure) -> Bool {
    // After a seek Opus needs some time until it gives the same samples again, and libsndfile's place in Vorbis is not
    // always the one that was asked for.
    guard kind == .flac, frames != nil, information.seekable != 0 else { return false }
    guard sf_seek(handle, sf_count_t(frame), Int32(SEEK_SET)) == frame else {
      if let failure = cursor.failure { throw failure }
      try rewind()
      return false
    }
    position = frame
    return true
  }

  func rewind() throws(Failure) {
    let (fresh, _) = try Self.open(cursor, path)
    sf_close(handle)
    handle = fresh
    (position, error) = (0, nil)
  }

  private let path: String

  /// What goes wrong while a file is opened, libsndfile keeps in variables of the process.
  private static let opening = Mutex(())

  private static func open(_ cursor: ByteCursor, _ path: String) throws(Failure) -> (OpaquePointer, SF_INFO) {
    var functions = SF_VIRTUAL_IO(
      get_filelen: { sf_count_t(ByteCursor.behind($0).count) },
      seek: { sf_count_t(ByteCursor.behind($2).seek(Int($0), $1)) },
      read: { sf_count_t(ByteCursor.behind($2).read(Int($1), into: $0)) },
      write: { _, _, _ in 0 },
      tell: { sf_count_t(ByteCursor.behind($0).position) })
    var information = SF_INFO()
    _ = cursor.seek(0, SEEK_SET)
    var handle: OpaquePointer?
    var text = ""
    opening.withLock { _ in
      handle = sf_open_virtual(&functions, Int32(SFM_READ), &information, cursor.pointer)
      if handle == nil { text = Self.text(of: nil) }
    }
    if let failure = cursor.failure {
      if let handle { sf_close(handle) }
      throw failure
    }
    guard let handle else { throw Failure(.badData, "\(path): cannot be decoded: \(text)") }
    return (handle, information)
  }

  private static func text(of handle: OpaquePointer?) -> String {
    "libsndfile says \(String(cString: sf_strerror(handle)).onOneLine.quoted)"
  }
}
