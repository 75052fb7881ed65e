import Diagnostics
import Glibc
import Synchronization
import TensorFiles

/// The frames of a packed corpus, or of its test part: files are mapped when something in them is prepared.
final class PackedFrames: Sendable {
  private let utterances: [Utterance]
  private let files: [(path: String, bytes: Int)]
  private let places: [PackedRows.Place]
  private let frameBytes: Int
  private let state: Mutex<State>

  private struct State {
    /// By file; nil until something in it is prepared.
    var maps: [MappedFile?]
    /// By utterance: whether its checksum was found right.
    var isPrepared: [Bool]
  }

  init(_ utterances: [Utterance], _ rows: PackedRows, bands: Int) {
    self.utterances = utterances
    files = rows.files
    places = rows.places
    frameBytes = bands * MemoryLayout<Float>.stride
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
    let rowBytes = utterances[index].frames * frameBytes
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
    let offset = place.offset + start * frameBytes
    let source = map.bytes(offset..<offset + count * frameBytes)
    UnsafeMutableRawPointer(frames).copyMemory(from: source.baseAddress!, byteCount: source.count)
  }
}

/// A file mapped read-only for as long as the object lives.
///
/// Pages of a file that is cut short while it is mapped are gone, and touching one is SIGBUS. While a file is mapped,
/// that ends the process with one line that names it.
///
/// `@unchecked Sendable`: the mapped memory is only ever read.
final class MappedFile: @unchecked Sendable {
  private let memory: UnsafeRawBufferPointer
  private let range: UnsafeMutablePointer<MappedRange>

  /// - Throws: bad data when the file is not `byteCount` bytes long.
  init(path: String, byteCount: Int) throws {
    let file = try InputFile(path: path)
    guard file.byteCount == byteCount else {
      throw Failure(.badData, "\(path) has \(file.byteCount) bytes, where \(byteCount) were expected")
    }
    let address = mmap(nil, byteCount, PROT_READ, MAP_SHARED, file.descriptor, 0)
    guard let address, address != MAP_FAILED else { throw Failure.system(errno, path, "mapping failed") }
    memory = UnsafeRawBufferPointer(start: address, count: byteCount)
    range = MappedRange.add(memory, of: path)
  }

  deinit {
    range.pointee.end.store(0, ordering: .releasing)
    munmap(UnsafeMutableRawPointer(mutating: memory.baseAddress), memory.count)
  }

  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: memory[range])
  }
}

/// Where a file is mapped, for the handler of SIGBUS: an entry of a list that it can walk at any moment. Entries are
/// never freed, because it may be looking at them.
private struct MappedRange: ~Copyable {
  let start: UInt
  /// 0 when the file is no longer mapped.
  let end: Atomic<UInt>
  /// What the handler writes.
  let message: UnsafeMutablePointer<CChar>
  let next: UnsafeMutablePointer<MappedRange>?

  /// The address of the latest entry, or 0.
  private static let first = Atomic<UInt>(0)
  /// What SIGBUS did before. Unsafe only to the compiler: written once, before the handler that reads it is there.
  nonisolated(unsafe) private static let earlier = UnsafeMutablePointer<sigaction>.allocate(capacity: 1)

  static func add(_ memory: UnsafeRawBufferPointer, of path: String) -> UnsafeMutablePointer<MappedRange> {
    _ = isHandled
    let failure = Failure(
      .inputOutput,
      "\(path): was cut short, or its disk failed, while it was read; data have to stay as they are while they are read"
    )
    let start = UInt(bitPattern: memory.baseAddress)
    let range = UnsafeMutablePointer<MappedRange>.allocate(capacity: 1)
    let message = strdup("error: \(failure.message)\n")!
    var head = first.load(ordering: .acquiring)
    while true {
      range.initialize(
        to: MappedRange(
          start: start, end: Atomic(start + UInt(memory.count)), message: message,
          next: UnsafeMutablePointer(bitPattern: head)))
      let (isAdded, current) = first.compareExchange(
        expected: head, desired: UInt(bitPattern: range), ordering: .acquiringAndReleasing)
      if isAdded { return range }
      head = current
    }
  }

  /// Installed with the first mapping, so that it comes after what MPI installs.
  private static let isHandled: Bool = {
    earlier.initialize(to: sigaction())
    var action = sigaction()
    action.sa_flags = SA_SIGINFO
    action.__sigaction_handler.sa_sigaction = { _, info, _ in MappedRange.end(at: info) }
    return sigaction(SIGBUS, &action, earlier) == 0
  }()

  /// The handler: takes no lock and no memory.
  private static func end(at info: UnsafeMutablePointer<siginfo_t>?) {
    let address = UInt(bitPattern: info?.pointee._sifields._sigfault.si_addr)
    var entry = UnsafeMutablePointer<MappedRange>(bitPattern: first.load(ordering: .acquiring))
    while let range = entry {
      if range.pointee.start <= address, address < range.pointee.end.load(ordering: .acquiring) {
        // Below a progress line.
        if isatty(STDERR_FILENO) != 0 { write(STDERR_FILENO, "\n", 1) }
        write(STDERR_FILENO, range.pointee.message, strlen(range.pointee.message))
        _exit(Failure.Kind.inputOutput.rawValue)
      }
      entry = range.pointee.next
    }
    // Somebody else's: the access is tried again and meets what was there before.
    sigaction(SIGBUS, earlier, nil)
  }
}
