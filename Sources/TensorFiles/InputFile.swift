import Diagnostics
import Glibc

/// A regular file open for reading at any offset.
///
/// Reads are `pread`s and carry no position, so one file may be read from several threads. Every read is
/// checked against the file's size before memory is taken for it.
public final class InputFile: Sendable {
  /// What errors call the file.
  public let path: String
  /// The open descriptor, for a caller's own `pread`; valid as long as this object lives.
  public let descriptor: Int32
  /// The size when it was opened.
  public let byteCount: Int

  private let closesDescriptor: Bool

  /// Opens a file.
  ///
  /// - Throws: `.missingInput` if it is not there, `.badData` if it is no regular file, else `.inputOutput`.
  public init(path: String) throws(Failure) {
    let descriptor = retryingInterrupted { open(path, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { throw Self.openFailure(path, errno) }
    do throws(Failure) {
      byteCount = try Self.regularFileSize(descriptor, path)
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
    closesDescriptor = true
  }

  /// Borrows a descriptor that the caller keeps open and closes.
  ///
  /// - Parameter path: what errors call the file.
  /// - Throws: `.badData` if it is no regular file, `.inputOutput` if it is no open descriptor.
  public init(borrowing descriptor: Int32, path: String) throws(Failure) {
    byteCount = try Self.regularFileSize(descriptor, path)
    self.path = path
    self.descriptor = descriptor
    closesDescriptor = false
  }

  deinit {
    if closesDescriptor { close(descriptor) }
  }

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// - Throws: `.badData` if the file is too short, `.inputOutput` if reading fails.
  public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(Failure) {
    guard offset >= 0, offset <= byteCount, buffer.count <= byteCount - offset else {
      throw Failure(
        .badData,
        "\(path): too short: \(buffer.count) bytes wanted at byte \(offset), the file has \(byteCount)")
    }
    var done = 0
    while done < buffer.count {
      let count = retryingInterrupted {
        pread(descriptor, buffer.baseAddress! + done, buffer.count - done, offset + done)
      }
      guard count >= 0 else { throw Failure.system(errno, path, "reading failed") }
      guard count > 0 else {
        throw Failure(.inputOutput, "\(path): became shorter while it was read, at byte \(offset + done)")
      }
      done += count
    }
  }

  /// The `count` bytes from `offset` on.
  ///
  /// - Throws: as `read(into:at:)`.
  public func read(at offset: Int, count: Int) throws(Failure) -> [UInt8] {
    guard offset >= 0, offset <= byteCount, count >= 0, count <= byteCount - offset else {
      throw Failure(
        .badData, "\(path): too short: \(count) bytes wanted at byte \(offset), the file has \(byteCount)")
    }
    var failure: Failure?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      do throws(Failure) {
        try read(
          into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count]),
          at: offset)
        initializedCount = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  private static func regularFileSize(_ descriptor: Int32, _ path: String) throws(Failure) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure.system(errno, path, "reading failed") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      let kind = status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "a device or a pipe"
      throw Failure(.badData, "\(path): is \(kind), not a file")
    }
    return Int(status.st_size)
  }

  private static func openFailure(_ path: String, _ code: Int32) -> Failure {
    code == ENOENT || code == ENOTDIR
      ? Failure(.missingInput, "\(path): no such file") : Failure.system(code, path, "opening failed")
  }
}

/// Repeats a system call while a signal interrupts it.
func retryingInterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}

extension Failure {
  /// A failed system call: `PATH: WHAT: strerror`.
  package static func system(_ code: Int32, _ path: String, _ what: String) -> Failure {
    Failure(.inputOutput, "\(path): \(what): \(String(cString: strerror(code)))")
  }
}
