import CSndfile
import Diagnostics
import Glibc
import Synchronization

/// A handle of libsndfile, from the beginning of some bytes on.
final class SndfileStream {
  /// What libsndfile said when it gave less than it was asked for.
  private(set) var error: String?

  private let cursor: ByteCursor
  private let handle: OpaquePointer
  private let information: SF_INFO

  var rate: Int { Int(information.samplerate) }
  var channels: Int { Int(information.channels) }
  /// What a header tells. Where none does, libsndfile says the greatest number.
  var frames: Int? {
    information.frames > 0 && information.frames < Int64.max ? Int(information.frames) : nil
  }

  /// - Throws: `.badData` for what libsndfile does not take, `.inputOutput` if reading fails.
  init(_ bytes: SoundBytes) throws(Failure) {
    var functions = SF_VIRTUAL_IO(
      get_filelen: { sf_count_t(ByteCursor.behind($0).count) },
      seek: { sf_count_t(ByteCursor.behind($2).seek(Int($0), $1)) },
      read: { sf_count_t(ByteCursor.behind($2).read(Int($1), into: $0)) },
      write: { _, _, _ in 0 },
      tell: { sf_count_t(ByteCursor.behind($0).position) })
    var information = SF_INFO()
    let cursor = ByteCursor(bytes)
    var handle: OpaquePointer?
    var text = ""
    Self.opening.withLock { _ in
      handle = sf_open_virtual(&functions, Int32(SFM_READ), &information, cursor.pointer)
      if handle == nil { text = Self.text(of: nil) }
    }
    if let failure = cursor.failure {
      if let handle { sf_close(handle) }
      throw failure
    }
    guard let handle else { throw Failure(.badData, "\(bytes.path): cannot be decoded: \(text)") }
    (self.cursor, self.handle, self.information) = (cursor, handle, information)
  }

  deinit { sf_close(handle) }

  /// Decodes interleaved samples; the number of frames, 0 at the end.
  func read(into buffer: UnsafeMutableBufferPointer<Float>) throws(Failure) -> Int {
    let wanted = sf_count_t(buffer.count / channels)
    let count = max(0, sf_readf_float(handle, buffer.baseAddress!, wanted))
    if let failure = cursor.failure { throw failure }
    // The next call forgets what was wrong in this one.
    if count < wanted, error == nil, sf_error(handle) != 0 { error = Self.text(of: handle) }
    return Int(count)
  }

  /// Moves to a frame; false where libsndfile cannot.
  func seek(toFrame frame: Int) throws(Failure) -> Bool {
    let isThere = information.seekable != 0 && sf_seek(handle, sf_count_t(frame), Int32(SEEK_SET)) == frame
    if let failure = cursor.failure { throw failure }
    return isThere
  }

  /// What goes wrong while a file is opened, libsndfile keeps in variables of the process.
  private static let opening = Mutex(())

  private static func text(of handle: OpaquePointer?) -> String {
    "libsndfile says \(String(cString: sf_strerror(handle)).onOneLine.quoted)"
  }
}
