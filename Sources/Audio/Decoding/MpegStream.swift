import CMpg123
import Diagnostics
import Glibc

/// A handle of libmpg123, from a file's beginning on.
final class MpegStream {
  let rate: Int
  let channels: Int

  private let handle: OpaquePointer
  private let cursor: ByteCursor
  private let path: String

  /// - Throws: `.badData` where no MPEG frame can be found, `.inputOutput` if reading fails.
  init(_ cursor: ByteCursor, _ path: String) throws(Failure) {
    // Needed by versions before 1.27; once in a process.
    _ = Self.isReady
    guard let handle = mpg123_new(nil, nil) else {
      throw Failure(.outOfMemory, "\(path): libmpg123 cannot be used: there is no memory for it")
    }
    _ = cursor.seek(0, SEEK_SET)
    do throws(Failure) {
      try Self.check(Self.prepare(handle), handle, cursor, path)
      try Self.check(mpg123_open_handle(handle, cursor.pointer), handle, cursor, path)
      (rate, channels) = try Self.format(handle, cursor, path)
    } catch {
      mpg123_delete(handle)
      throw error
    }
    (self.handle, self.cursor, self.path) = (handle, cursor, path)
  }

  deinit { mpg123_delete(handle) }

  /// Where the MPEG frame begins that was read last.
  var framePosition: Int { max(0, mpg123_framepos(handle)) }

  /// Where the MPEG frame ends that was read last.
  var endOfFrame: Int {
    var information = mpg123_frameinfo()
    guard mpg123_info(handle, &information) == MPG123_OK.rawValue else { return framePosition }
    return framePosition + Int(information.framesize)
  }

  /// Looks at the header of every MPEG frame; reading goes on where it was.
  ///
  /// - Returns: how many there are, and how many samples of a channel they hold.
  func count() throws(Failure) -> (mpegFrames: Int, samples: Int?) {
    try Self.check(mpg123_scan(handle), handle, cursor, path)
    let samples = mpg123_length(handle)
    return (max(0, mpg123_framelength(handle)), samples > 0 ? samples : nil)
  }

  /// Decodes interleaved samples.
  ///
  /// - Returns: frames of samples, 0 at the end, and where no MPEG frame follows the last one.
  /// - Throws: `.badData` for another rate or number of channels than before, `.inputOutput` if reading fails.
  func read(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int {
    let size = MemoryLayout<Float>.size * channels
    while true {
      var done = 0
      let status = mpg123_read(handle, buffer.baseAddress!, buffer.count / channels * size, &done)
      if let failure = cursor.failure { throw failure }
      if status == MPG123_NEW_FORMAT.rawValue {
        let (newRate, newChannels) = try Self.format(handle, cursor, path)
        guard newRate == rate, newChannels == channels else {
          throw Failure(
            .badData,
            "\(path): changes in the middle from \(channels) channels at \(rate) Hz to \(newChannels) at \(newRate)"
          )
        }
      }
      if done >= size { return done / size }
      switch status {
      case MPG123_NEW_FORMAT.rawValue: continue
      case MPG123_DONE.rawValue: return 0
      case MPG123_ERR.rawValue where mpg123_errcode(handle) == MPG123_RESYNC_FAIL.rawValue: return 0
      default: try Self.check(status, handle, cursor, path)
      }
    }
  }

  private static let isReady = mpg123_init() == MPG123_OK.rawValue

  /// Floating point at the file's own rate and channels, nothing printed, tags passed over.
  private static func prepare(_ handle: OpaquePointer) -> Int32 {
    let flags = MPG123_QUIET.rawValue | MPG123_FORCE_FLOAT.rawValue | MPG123_SKIP_ID3V2.rawValue
    var status = mpg123_param(handle, MPG123_ADD_FLAGS, Int(flags), 0)
    guard status == MPG123_OK.rawValue else { return status }
    status = mpg123_param(handle, MPG123_REMOVE_FLAGS, Int(MPG123_AUTO_RESAMPLE.rawValue), 0)
    guard status == MPG123_OK.rawValue else { return status }
    return mpg123_replace_reader_handle(
      handle, { ByteCursor.behind($0).read($2, into: $1) }, { ByteCursor.behind($0).seek($1, $2) }, nil)
  }

  private static func format(
    _ handle: OpaquePointer, _ cursor: ByteCursor, _ path: String
  ) throws(Failure) -> (rate: Int, channels: Int) {
    var (rate, channels, encoding) = (0, Int32(0), Int32(0))
    try check(mpg123_getformat(handle, &rate, &channels, &encoding), handle, cursor, path)
    guard encoding == Int32(MPG123_ENC_FLOAT_32.rawValue), (1...2).contains(channels) else {
      throw Failure(.badData, "\(path): cannot be decoded: libmpg123 gives samples of encoding \(encoding)")
    }
    return (rate, Int(channels))
  }

  private static func check(
    _ status: Int32, _ handle: OpaquePointer, _ cursor: ByteCursor, _ path: String
  ) throws(Failure) {
    if let failure = cursor.failure { throw failure }
    guard status != MPG123_OK.rawValue else { return }
    let text = String(
      cString: status == MPG123_ERR.rawValue ? mpg123_strerror(handle) : mpg123_plain_strerror(status))
    throw Failure(.badData, "\(path): cannot be decoded: libmpg123 says \(text.onOneLine.quoted)")
  }
}
