import Diagnostics
import Glibc
import Synchronization
import TensorFiles

/// The frames of the homework's directory: one `.pt` file an utterance, opened only while it is read.
///
/// After `prepare` it is known where each tensor lies, so a crop is one open, one read of just its bytes into
/// the caller's memory, and one close.
final class FeatureFiles: Sendable {
  private let directory: String
  private let descriptor: FileDescriptor
  private let utterances: [Utterance]
  /// All paths as C strings, one behind the other, so that opening a file allocates no string.
  private let names: [CChar]
  private let nameOffsets: [Int]
  /// By utterance; nil until it is prepared.
  private let locations: Mutex<[FeatureFile.Location?]>

  init(directory: String, _ utterances: [Utterance]) throws {
    self.directory = directory
    self.utterances = utterances
    descriptor = try FileDescriptor(opening: directory, O_RDONLY | O_DIRECTORY)
    var names: [CChar] = []
    var nameOffsets: [Int] = []
    for utterance in utterances {
      nameOffsets.append(names.count)
      names.append(contentsOf: utterance.path.utf8CString)
    }
    self.names = names
    self.nameOffsets = nameOffsets
    locations = Mutex(Array(repeating: nil, count: utterances.count))
  }

  /// Reads and verifies utterances, in dataset order.
  func prepare(_ indices: [Int], threads: Int, progress: (_ done: Int, _ total: Int) -> Void) throws {
    let pending = locations.withLock { locations in indices.filter { locations[$0] == nil } }.sorted()
    try parallelLoop(
      count: pending.count, threads: threads, total: pending.count, progress: progress,
      scratch: FrameBuffer.init
    ) { [self] position, buffer, done in
      let index = pending[position]
      let utterance = utterances[index]
      let rows = try FeatureFile.read(utterance.path, frames: utterance.frames, in: directory, buffer)
      locations.withLock { $0[index] = rows.location }
      done.advance()
    }
  }

  /// As `Corpus.copyFrames`; the range was checked.
  func copyFrames(of index: Int, from start: Int, count: Int, into frames: UnsafeMutablePointer<Float>) throws
  {
    guard let location = locations.withLock({ $0[index] }) else { throw Corpus.unprepared(utterances[index]) }
    let file = names.withUnsafeBufferPointer {
      openat(descriptor.raw, $0.baseAddress! + nameOffsets[index], O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    }
    guard file >= 0 else {
      throw changed(index, errno == ENOENT ? "is gone" : String(cString: strerror(errno)))
    }
    defer { close(file) }
    guard location.version.isStill(of: file) else { throw changed(index, "has changed") }
    switch location.arrangement {
    case .rows(stride: Corpus.homeworkBands):
      let offset = location.offset + start * Corpus.homeworkFrameBytes
      try read(
        file, index, UnsafeMutableBufferPointer(start: frames, count: count * Corpus.homeworkBands),
        at: offset)
    case .rows(let stride):
      for row in 0..<count {
        let offset = location.offset + 4 * (start + row) * stride
        let target = UnsafeMutableBufferPointer(
          start: frames + row * Corpus.homeworkBands, count: Corpus.homeworkBands)
        try read(file, index, target, at: offset)
      }
    case .columns(let stride):
      try readColumns(file, index, location.offset, stride, start, count, into: frames)
    }
  }

  /// Reads a transposed tensor a stretch of one bin's frames at a time.
  private func readColumns(
    _ file: Int32, _ index: Int, _ origin: Int, _ stride: Int, _ start: Int, _ count: Int,
    into frames: UnsafeMutablePointer<Float>
  ) throws {
    // 1 KiB is what withUnsafeTemporaryAllocation keeps on the stack.
    try withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { stretch in
      for bin in 0..<Corpus.homeworkBands {
        for first in Swift.stride(from: 0, to: count, by: stretch.count) {
          let part = UnsafeMutableBufferPointer(rebasing: stretch[..<min(stretch.count, count - first)])
          try read(file, index, part, at: origin + 4 * (bin * stride + start + first))
          for (t, value) in part.enumerated() { frames[(first + t) * Corpus.homeworkBands + bin] = value }
        }
      }
    }
  }

  private func read(_ file: Int32, _ index: Int, _ target: UnsafeMutableBufferPointer<Float>, at offset: Int)
    throws
  {
    let bytes = UnsafeMutableRawBufferPointer(target)
    var done = 0
    while done < bytes.count {
      let n = pread(file, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if n < 0 && errno == EINTR { continue }
      guard n > 0 else {
        let path = "\(directory)/\(utterances[index].path)"
        throw n < 0
          ? Failure.system(errno, path, "reading failed")
          : changed(index, "became shorter")
      }
      done += n
    }
  }

  private func changed(_ index: Int, _ how: String) -> Failure {
    Failure(
      .inputOutput,
      "\(directory)/\(utterances[index].path): \(how) since it was verified at the start; "
        + "data have to stay as they are while they are read")
  }
}
