import Diagnostics

/// An open PyTorch file: the zip, its top folder and its pickle, run.
struct TorchArchive {
  let file: InputFile
  let directory: ZipDirectory
  /// What the pickle holds, and where.
  let root: PickleValue
  let arena: PickleArena

  private let topFolder: String
  private var window: FileWindow

  /// - Throws: `.badData` if the file is not one of tensors only, as `torch.save` has written it since 1.6.
  init(_ file: InputFile) throws(Failure) {
    self.file = file
    window = FileWindow(file)
    do throws(Failure) {
      directory = try ZipDirectory(reading: &window)
    } catch {
      throw try Self.knownForeignFile(file) ?? error
    }
    topFolder = try Self.topFolder(of: directory, path: file.path)
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
    root = try machine.run()
    arena = machine.arena
  }

  /// Where a tensor's elements lie, all sizes checked against the file.
  mutating func locate(_ view: TorchTensorView) throws(Failure) -> TorchFile.TensorLocation {
    let storage = arena.storages[view.storage]
    let type = storage.elementType
    guard let member = directory["\(topFolder)/data/\(storage.key)"] else {
      throw Failure(
        .badData,
        "\(file.path): no member \("\(topFolder)/data/\(storage.key)".quoted), which data.pkl refers to")
    }
    guard member.byteCount == storage.elementCount * type.byteCount else {
      throw Failure(
        .badData,
        "\(file.path): \(member.name.quoted) has \(member.byteCount) bytes, \(storage.elementCount) elements of \(type.rawValue) take \(storage.elementCount * type.byteCount)"
      )
    }
    let storageOffset = try directory.payloadOffset(of: member, reading: &window)
    return TorchFile.TensorLocation(
      elementType: type, shape: view.shape, stride: view.stride,
      payloadOffset: storageOffset + view.offset * type.byteCount, storageOffset: storageOffset,
      payloadBytes: member.byteCount, storageCRC: member.crc32)
  }

  /// A whole storage, its CRC-32 checked.
  func payload(of location: TorchFile.TensorLocation, key: String) throws(Failure) -> [UInt8] {
    let bytes = try file.read(at: location.storageOffset, count: location.payloadBytes)
    guard CRC32.checksum(bytes) == location.storageCRC else {
      throw Failure(.badData, "\(file.path): \("data/\(key)".quoted) is damaged: its CRC-32 does not match")
    }
    return bytes
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
    // PROTO 2, LONG1, ten bytes: the magic number 0x1950a86a20f9469cfc6c.
    if start.starts(with: [0x80, 2, 0x8A, 10, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]) {
      return Failure(
        .badData,
        "\(file.path): is in the format of PyTorch before 1.6; load it with torch.load and save it with torch.save"
      )
    }
    if start.starts(with: "version https://git-lfs".utf8) {
      return Failure(.badData, "\(file.path): is a Git LFS pointer, not the file itself; run git lfs pull")
    }
    return start.starts(with: "PK".utf8)
      ? nil : Failure(.badData, "\(file.path): is not a PyTorch file: it does not start as a zip file")
  }
}
