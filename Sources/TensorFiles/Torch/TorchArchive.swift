import Diagnostics

/// An open PyTorch file: its pickle, run, and where its storages lie.
struct TorchArchive {
  let file: InputFile
  /// What the pickle holds, and where.
  let root: PickleValue
  let arena: PickleArena

  private let container: Container

  private enum Container {
    /// The zip that `torch.save` has written since 1.6, and its top folder.
    case zip(ZipDirectory, topFolder: String, FileWindow)
    /// What it wrote before, storages by their keys.
    case legacy(LegacyTorchFile)
  }

  /// - Throws: `.badData` if the file is not one that `torch.save` has written.
  init(_ file: InputFile) throws(Failure) {
    self.file = file
    var window = FileWindow(file)
    let directory: ZipDirectory
    do throws(Failure) {
      directory = try ZipDirectory(reading: &window)
    } catch {
      guard let legacy = try LegacyTorchFile(file) else { throw try Self.knownForeignFile(file) ?? error }
      root = legacy.root
      arena = legacy.arena
      container = .legacy(legacy)
      return
    }
    let topFolder = try Self.topFolder(of: directory, path: file.path)
    guard let pickle = directory["\(topFolder)/data.pkl"], directory["\(topFolder)/version"] != nil else {
      throw Failure(.badData, "\(file.path): is a zip file without PyTorch's data.pkl and version")
    }
    guard pickle.byteCount <= PickleMachine.maximumByteCount else {
      throw Failure(
        .badData,
        "\(file.path): \(pickle.byteCount) bytes of pickle, at most \(PickleMachine.maximumByteCount) are read"
      )
    }
    let bytes = try Self.smallMember(pickle, directory, &window)
    if let byteOrder = directory["\(topFolder)/byteorder"] {
      guard byteOrder.byteCount == 6,
        try Self.smallMember(byteOrder, directory, &window) == Array("little".utf8)
      else {
        throw Failure(.badData, "\(file.path): was written on a big-endian machine; save it on another")
      }
    }
    var machine = PickleMachine(bytes, name: "\(file.path): data.pkl")
    let end: Int
    (root, end) = try machine.run()
    guard end == bytes.count else { throw machine.failure("\(bytes.count - end) bytes after STOP") }
    arena = machine.arena
    container = .zip(directory, topFolder: topFolder, window)
  }

  /// Where a tensor's elements lie, all sizes checked against the file.
  func locate(_ view: TorchTensorView) throws(Failure) -> TorchFile.TensorLocation {
    let storage = arena.storages[view.storage]
    let type = storage.elementType
    let place = try place(of: storage)
    guard place.byteCount == storage.elementCount * type.byteCount else {
      throw Failure(
        .badData,
        "\(file.path): \(place.name.quoted) has \(place.byteCount) bytes, \(storage.elementCount) elements of \(type.rawValue) take \(storage.elementCount * type.byteCount)"
      )
    }
    return TorchFile.TensorLocation(
      elementType: type, shape: view.shape, stride: view.stride,
      payloadOffset: place.offset + view.offset * type.byteCount, storageOffset: place.offset,
      payloadBytes: place.byteCount, storageCRC: place.crc32,
      spanBytes: view.span * type.byteCount)
  }

  /// Where a storage lies.
  struct Place {
    /// What errors call it.
    let name: String
    let offset: Int
    let byteCount: Int
    /// Nil where the format has none.
    let crc32: UInt32?
  }

  private func place(of storage: TorchStorage) throws(Failure) -> Place {
    switch container {
    case .legacy(let legacy):
      guard let place = legacy.places[storage.key] else {
        throw Failure(.badData, "\(file.path): no storage \(storage.key.quoted), which its pickle refers to")
      }
      return place
    case .zip(let directory, let topFolder, var window):
      let name = "\(topFolder)/data/\(storage.key)"
      guard let member = directory[name] else {
        throw Failure(.badData, "\(file.path): no member \(name.quoted), which data.pkl refers to")
      }
      return Place(
        name: name, offset: try directory.payloadOffset(of: member, reading: &window),
        byteCount: member.byteCount,
        crc32: member.crc32)
    }
  }

  private static func smallMember(
    _ member: ZipMember, _ directory: ZipDirectory, _ window: inout FileWindow
  ) throws(Failure) -> [UInt8] {
    let offset = try directory.payloadOffset(of: member, reading: &window)
    let bytes = try window.bytes(at: offset, count: member.byteCount)
    guard CRC32.checksum(bytes) == member.crc32 else {
      throw Failure(
        .badData, "\(window.file.path): \(member.name.quoted) is damaged: its CRC-32 does not match")
    }
    return bytes
  }

  /// PyTorch puts everything into one folder: the file's stem, or `archive`.
  private static func topFolder(of directory: ZipDirectory, path: String) throws(Failure) -> String {
    let folder = directory.members.first.map { $0.name.prefix { $0 != "/" } }
    guard let folder, directory.members.allSatisfy({ $0.name.hasPrefix("\(folder)/") }) else {
      throw Failure(.badData, "\(path): is a zip file without the single top folder of a PyTorch file")
    }
    return String(folder)
  }

  /// A better message for what people mistake for a PyTorch file.
  private static func knownForeignFile(_ file: InputFile) throws(Failure) -> Failure? {
    let start = try file.read(at: 0, count: min(file.byteCount, 24))
    if start.isEmpty { return Failure(.badData, "\(file.path): is empty") }
    if start.starts(with: "version https://git-lfs".utf8) {
      return Failure(.badData, "\(file.path): is a Git LFS pointer, not the file itself; run git lfs pull")
    }
    return start.starts(with: "PK".utf8)
      ? nil
      : Failure(
        .badData,
        "\(file.path): is not a PyTorch file: it starts neither as a zip file nor as a pickle of torch.save")
  }
}

/// Small reads of a file, answered from a stretch read ahead where possible: the records of a PyTorch file that
/// come before a small tensor lie side by side, so one system call serves them all.
struct FileWindow {
  private static let readAhead = 2048

  let file: InputFile
  private var window: [UInt8] = []
  private var start = 0

  init(_ file: InputFile) { self.file = file }

  /// Makes `range` cheap to read, for a file that is read from its end.
  mutating func prefetch(_ range: Range<Int>) throws(Failure) {
    window = try file.read(at: range.lowerBound, count: range.count)
    start = range.lowerBound
  }

  mutating func bytes(at offset: Int, count: Int) throws(Failure) -> [UInt8] {
    let isInside =
      offset >= start && offset - start <= window.count && count >= 0
      && count <= window.count - (offset - start)
    if !isInside {
      guard offset >= 0, offset <= file.byteCount, count <= Self.readAhead else {
        return try file.read(at: offset, count: count)
      }
      try prefetch(offset..<min(file.byteCount, offset + Self.readAhead))
      guard count <= window.count else { return try file.read(at: offset, count: count) }
    }
    return Array(window[(offset - start)..<(offset - start + count)])
  }
}
