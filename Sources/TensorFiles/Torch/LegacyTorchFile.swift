import Diagnostics

/// What `torch.save` wrote before PyTorch 1.6, and still does when it is asked to: pickles one after another (a magic
/// number, the format's version, facts about the machine, the object, the storages' keys), then the storages in the
/// order of those keys, each an element count of eight bytes and the elements.
struct LegacyTorchFile {
  let root: PickleValue
  let arena: PickleArena
  /// Where the storages lie, by key.
  let places: [String: TorchArchive.Place]

  /// 0x1950a86a20f9469cfc6c, little endian.
  private static let magic: [UInt8] = [0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
  private static let version = 1001

  /// Nil if the file does not begin with the magic number.
  ///
  /// - Throws: `.badData` if the file goes on otherwise than it should.
  init?(_ file: InputFile) throws(Failure) {
    let path = file.path
    let bytes = try file.read(at: 0, count: min(file.byteCount, PickleMachine.maximumByteCount))
    guard bytes.first == PickleOpcode.protocolVersion.rawValue,
      bytes.prefix(32).firstRange(of: Self.magic) != nil
    else { return nil }
    var end = 0
    func next(_ what: String) throws(Failure) -> (PickleValue, PickleArena) {
      var machine = PickleMachine(bytes, from: end, name: "\(path): \(what)")
      let object: PickleValue
      (object, end) = try machine.run()
      return (object, machine.arena)
    }
    guard case .longInteger(Self.magic) = try next("magic number").0 else { return nil }
    guard case .integer(Self.version) = try next("version").0 else {
      throw Failure(.badData, "\(path): is a PyTorch file of a version that is not \(Self.version)")
    }
    let (machine, facts) = try next("system")
    if case .dictionary(let index) = machine {
      for case (.string("little_endian"), .bool(false)) in facts.dictionaries[index].entries {
        throw Failure(.badData, "\(path): was written on a big-endian machine; save it on another")
      }
    }
    (root, arena) = try next("object")
    let (keys, lists) = try next("storages")
    guard case .list(let index) = keys else {
      throw Failure(.badData, "\(path): has \(keys.kind) where the list of its storages should be")
    }
    places = try Self.places(of: lists.lists[index], arena.storages, in: file, from: end)
  }

  private static func places(
    of keys: [PickleValue], _ storages: [TorchStorage], in file: InputFile, from start: Int
  ) throws(Failure) -> [String: TorchArchive.Place] {
    let elementTypes = Dictionary(storages.map { ($0.key, $0.elementType) }) { first, _ in first }
    var places: [String: TorchArchive.Place] = [:]
    var offset = start
    for key in keys {
      guard case .string(let key) = key, let elementType = elementTypes[key], places[key] == nil else {
        throw Failure(.badData, "\(file.path): lists a storage that no tensor has, or one twice")
      }
      let elementCount = try file.read(at: offset, count: 8).littleEndian(Int64.self, at: 0)
      offset += 8
      guard let byteCount = elementType.byteCount(ofShape: [Int(elementCount)]),
        byteCount <= file.byteCount - offset
      else {
        throw Failure(
          .badData,
          "\(file.path): is truncated: \(elementCount) elements of storage \(key.quoted) at byte \(offset) in a file of \(file.byteCount)"
        )
      }
      places[key] = TorchArchive.Place(
        name: "storage \(key)", offset: offset, byteCount: byteCount, crc32: nil)
      offset += byteCount
    }
    guard offset == file.byteCount else {
      throw Failure(.badData, "\(file.path): has \(file.byteCount - offset) bytes behind its last storage")
    }
    return places
  }
}
