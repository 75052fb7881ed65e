import Diagnostics
import Glibc
import TensorFiles

/// An open file or folder, closed when the value goes.
struct FileDescriptor: ~Copyable {
  let raw: Int32
  private let path: String

  /// - Parameter flags: as open(2); `O_CLOEXEC` is added. Permissions of a new file are the umask's.
  /// - Throws: `.missingInput` when it is not there, `.inputOutput` otherwise.
  init(opening path: String, _ flags: Int32) throws {
    raw = open(path, flags | O_CLOEXEC, 0o666)
    self.path = path
    guard raw >= 0 else {
      throw errno == ENOENT || errno == ENOTDIR
        ? Failure(.missingInput, "\(path): no such file or folder")
        : Failure.system(errno, path, "opening failed")
    }
  }

  deinit {
    if raw >= 0 { close(raw) }
  }

  /// Takes the space for `byteCount` bytes, zeros, so that a disk too full is found before the work.
  func allocate(_ byteCount: Int) throws {
    guard byteCount > 0 else { return }
    let status = posix_fallocate(raw, 0, off_t(byteCount))
    guard status == 0 else { throw Failure.system(status, path, "writing failed") }
  }

  /// Writes all of `bytes` at `offset`.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let n = pwrite(raw, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else { throw Failure.system(n < 0 ? errno : EIO, path, "writing failed") }
      done += n
    }
  }

  /// Has the disk begin with what was written to `range`, so that `synchronize` has less to wait for.
  func startWriting(_ range: Range<Int>) {
    // What Linux does first with pages that are not needed: it writes them. A hint, so failing is no matter.
    posix_fadvise(raw, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
  }

  /// Returns once the contents are on the disk.
  func synchronize() throws {
    guard fsync(raw) == 0 else { throw Failure.system(errno, path, "writing failed") }
  }
}

/// A JSON file whose failures name the file and the key.
struct JSONFile {
  let path: String
  let root: JSON

  init(reading path: String) throws {
    self.path = path
    root = try JSON.read(path: path)
    guard root.object != nil else { throw Failure(.badData, "\(path) must hold a JSON object") }
  }

  /// "`path`: `key` `complaint`".
  func failure(_ key: String, _ complaint: String) -> Failure {
    Failure(.badData, "\(path): \(key) \(complaint)")
  }

  /// The members of the object under a top-level key, in the file's order.
  func object(_ key: String) throws -> JSONObject {
    guard let members = root[key]?.object else { throw failure(key, "must be an object") }
    return members
  }

  /// The list under a top-level key.
  func array(_ key: String) throws -> [JSON] {
    guard let list = root[key]?.array else { throw failure(key, "must be a list") }
    return list
  }
}

/// The names in a folder, "." and ".." apart.
func folderContents(_ path: String) throws -> [String] {
  guard let stream = opendir(path) else { throw Failure.system(errno, path, "opening failed") }
  defer { closedir(stream) }
  var names: [String] = []
  while let entry = readdir(stream) {
    let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names
}
