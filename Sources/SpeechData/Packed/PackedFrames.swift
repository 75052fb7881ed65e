import Diagnostics
import Glibc
import Synchronization
import TensorFiles

/// The frames of a packed corpus, or of its test part: files are mapped when something in them is prepared.
final class PackedFrames: Sendable {
  private let utterances: [Utterance]
  private let files: [(path: String, bytes: Int)]
  private let places: [PackedRows.Place]
  private let state: Mutex<State>

  private struct State {
    /// By file; nil until something in it is prepared.
    var maps: [MappedFile?]
    /// By utterance: whether its checksum was found right.
    var isPrepared: [Bool]
  }

  init(_ utterances: [Utterance], _ rows: PackedRows) {
    self.utterances = utterances
    files = rows.files
    places = rows.places
    state = Mutex(
      State(
        maps: Array(repeating: nil, count: rows.files.count),
        isPrepared: Array(repeating: false, count: utterances.count)))
  }

  /// Maps the files that hold `indices` and verifies the checksums of just these utterances, in file order.
  func prepare(_ indices: [Int], threads: Int, progress: (_ done: Int, _ total: Int) -> Void) throws {
    let pending = state.withLock { state in indices.filter { !state.isPrepared[$0] } }
    let inFileOrder = pending.sorted {
      (places[$0].file, places[$0].offset) < (places[$1].file, places[$1].offset)
    }
    for file in Set(inFileOrder.map { places[$0].file }).sorted() {
      let isMapped = state.withLock { $0.maps[file] != nil }
      guard !isMapped else { continue }
      let map = try MappedFile(path: files[file].path, byteCount: files[file].bytes)
      state.withLock { $0.maps[file] = map }
    }
    try parallelLoop(
      count: inFileOrder.count, threads: threads, total: inFileOrder.count, progress: progress, scratch: {}
    ) { position, _, done in
      try self.verify(inFileOrder[position])
      done.advance()
    }
    state.withLock { state in
      for index in pending { state.isPrepared[index] = true }
    }
  }

  private func verify(_ index: Int) throws {
    let place = places[index]
    let map = state.withLock { $0.maps[place.file]! }
    let rowBytes = utterances[index].frames * Corpus.bytesPerFrame
    guard CRC32.checksum(map.bytes(place.offset..<place.offset + rowBytes)) == place.checksum else {
      throw Failure(
        .badData,
        "\(files[place.file].path) is damaged: the frames of \(utterances[index].path.printable) "
          + "do not fit their checksum; pack again")
    }
  }

  /// As `Corpus.copyFrames`; the range was checked.
  func copyFrames(of index: Int, from start: Int, count: Int, into frames: UnsafeMutablePointer<Float>) throws
  {
    let place = places[index]
    let map = state.withLock { $0.isPrepared[index] ? $0.maps[place.file] : nil }
    guard let map else { throw Corpus.unprepared(utterances[index]) }
    let offset = place.offset + start * Corpus.bytesPerFrame
    let source = map.bytes(offset..<offset + count * Corpus.bytesPerFrame)
    UnsafeMutableRawPointer(frames).copyMemory(from: source.baseAddress!, byteCount: source.count)
  }
}

/// A file mapped read-only for as long as the object lives.
///
/// `@unchecked Sendable`: the mapped memory is only ever read.
private final class MappedFile: @unchecked Sendable {
  private let memory: UnsafeRawBufferPointer

  /// - Throws: bad data when the file is not `byteCount` bytes long.
  init(path: String, byteCount: Int) throws {
    let file = try InputFile(path: path)
    guard file.byteCount == byteCount else {
      throw Failure(.badData, "\(path) has \(file.byteCount) bytes, where \(byteCount) were expected")
    }
    let address = mmap(nil, byteCount, PROT_READ, MAP_SHARED, file.descriptor, 0)
    guard let address, address != MAP_FAILED else { throw Failure.system(errno, path, "mapping failed") }
    memory = UnsafeRawBufferPointer(start: address, count: byteCount)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: memory.baseAddress), memory.count) }

  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: memory[range])
  }
}
