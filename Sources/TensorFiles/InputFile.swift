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
  /// Which file it was when it was opened.
  package let version: Version

  /// Tells a file from one that was put in its place, or was written to, later: by its size and the time of its last
  /// change.
  package struct Version: Sendable {
    private let byteCount: Int
    private let seconds: Int
    private let nanoseconds: Int

    /// Whether an open file is still this one. Takes no memory.
    package func isStill(of descriptor: Int32) -> Bool {
      var status = stat()
      return fstat(descriptor, &status) == 0 && Int(status.st_size) == byteCount
        && status.st_mtim.tv_sec == seconds && status.st_mtim.tv_nsec == nanoseconds
    }

    fileprivate init(_ status: stat) {
      byteCount = Int(status.st_size)
      seconds = status.st_mtim.tv_sec
      nanoseconds = status.st_mtim.tv_nsec
    }
  }

  private let closesDescriptor: Bool

  /// Opens a file. What is none, such as a pipe, is not waited for.
  ///
  /// - Throws: `.missingInput` if it is not there, `.badData` if it is no regular file, else `.inputOutput`.
  public init(path: String) throws(Failure) {
    let descriptor = try Self.open(path)
    do throws(Failure) {
      (byteCount, version) = try Self.inspect(descriptor, path)
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
    (byteCount, version) = try Self.inspect(descriptor, path)
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

  /// The CRC-32 of a stretch of the file.
  ///
  /// - Parameter piece: memory for as much as is read at a time, at least a byte.
  /// - Throws: as `read(into:at:)`.
  package func checksum(of range: Range<Int>, by piece: UnsafeMutableRawBufferPointer) throws(Failure)
    -> UInt32
  {
    var checksum: UInt32 = 0
    for start in stride(from: range.lowerBound, to: range.upperBound, by: piece.count) {
      let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(piece.count, range.upperBound - start)])
      try read(into: part, at: start)
      checksum = CRC32.checksum(UnsafeRawBufferPointer(part), continuing: checksum)
    }
    return checksum
  }

  private static func inspect(
    _ descriptor: Int32, _ path: String
  ) throws(Failure) -> (byteCount: Int, version: Version) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure.system(errno, path, "reading failed") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Failure(.badData, "\(path): is \(kind(of: status)), where a file is needed")
    }
    return (Int(status.st_size), Version(status))
  }

  /// What errors call something that is no file.
  private static func kind(of status: stat) -> String {
    switch status.st_mode & S_IFMT {
    case S_IFDIR: "a folder"
    case S_IFIFO: "a pipe"
    case S_IFSOCK: "a socket"
    default: "a device"
    }
  }

  /// Opens for reading. Without `O_NONBLOCK` a named pipe would be waited for until somebody writes into it.
  private static func open(_ path: String) throws(Failure) -> Int32 {
    guard !path.isEmpty else {
      throw Failure(.missingInput, "an empty name was given where a file is needed")
    }
    let descriptor = retryingInterrupted {
      Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    }
    guard descriptor < 0 else { return descriptor }
    switch errno {
    case ENOENT, ENOTDIR: throw Failure(.missingInput, "\(path): no such file")
    case ENXIO: throw Failure(.badData, "\(path): is a socket or a device, where a file is needed")
    case let code: throw Failure.system(code, path, "opening failed")
    }
  }
}

// MARK: - Texts

extension InputFile {
  /// Seconds in which something must come out of a pipe.
  private static let patience: Int32 = 10

  /// All bytes of a text that a person wrote. Unlike data it may also come out of a pipe, as from
  /// `--config <(make-configuration)` or `/dev/stdin`.
  ///
  /// - Parameter limit: the most bytes that are read.
  /// - Throws: `.missingInput` if it is not there, `.badData` if it is a folder or longer than `limit`,
  ///   `.inputOutput` if it cannot be read or a pipe stays silent.
  public static func readText(path: String, atMost limit: Int = 1 << 20) throws(Failure) -> [UInt8] {
    let descriptor = try open(path)
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw Failure.system(errno, path, "reading failed") }
    guard ![S_IFDIR, S_IFBLK].contains(status.st_mode & S_IFMT) else {
      throw Failure(.badData, "\(path): is \(kind(of: status)), where a text is needed")
    }
    let isPipe = status.st_mode & S_IFMT == S_IFIFO
    var text: [UInt8] = [], part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = retryingInterrupted { Glibc.read(descriptor, &part, part.count) }
      if count < 0 && errno == EAGAIN || count == 0 && isPipe && text.isEmpty {
        // A named pipe is at its end, too, before its writer has come.
        if try waitForMore(descriptor, path) { continue }
        return text
      }
      guard count >= 0 else { throw Failure.system(errno, path, "reading failed") }
      if count == 0 { return text }
      guard text.count + count <= limit else {
        throw Failure(.badData, "\(path): is longer than \(limit) bytes, which no such text is")
      }
      text += part[..<count]
    }
  }

  /// - Returns: false if the writer has gone and nothing more will come.
  private static func waitForMore(_ descriptor: Int32, _ path: String) throws(Failure) -> Bool {
    var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let count = retryingInterrupted { poll(&polled, 1, patience * 1000) }
    guard count >= 0 else { throw Failure.system(errno, path, "reading failed") }
    guard count > 0 else {
      throw Failure(.inputOutput, "\(path): is a pipe out of which nothing came for \(patience) seconds")
    }
    return polled.revents & Int16(POLLIN) != 0
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
