import Diagnostics
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
        "\(files[place.file].path) is damaged: the frames of \(utterances[index].path) "
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
