import Collectives
import Foundation
import TensorCore

/// One figure measured in several rounds: the median stands for it, the lowest and the highest for its spread.
package struct Rounds: Sendable {
  private var values: [Double] = []

  package init() {}

  /// Adds a round's figure.
  package mutating func add(_ value: Double) { values.append(value) }

  /// The middle figure; of an even number, the mean of the two in the middle.
  package var median: Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  /// The lowest and the highest figure.
  package var spread: ClosedRange<Double> { (values.min() ?? 0)...(values.max() ?? 0) }
}

extension Communicator {
  /// Seconds from the ranks' common start until the last of them has done `body`; the same on all. Collective.
  func seconds(_ body: () throws -> Void) throws -> Double {
    try barrier()
    let start = monotonicNanoseconds()
    try body()
    let mine = monotonicNanoseconds() - start
    return Double(max(1, try allGather(mine).max() ?? 1)) * 1e-9
  }
}

/// Memory of this process, as the kernel accounts for it.
enum ProcessMemory {
  /// The most memory that was resident at once, in MiB, without the pages of the mapped corpus.
  ///
  /// Those are the page cache's, shared by all ranks of a host and given up when memory is short. They are taken
  /// off as they stand now, so a page that was dropped meanwhile makes the figure too high, never too low.
  static var peakWithoutCorpus: Double {
    guard let peak = kibibytes("VmHWM:", in: "/proc/self/status") else { return 0 }
    return Double(max(0, peak - residentCorpus)) / 1024
  }

  /// The most memory that was resident at once, in MiB, the mapped corpus included.
  static var peak: Double { Double(kibibytes("VmHWM:", in: "/proc/self/status") ?? 0) / 1024 }

  /// KiB of the corpus's mapped files that are resident.
  private static var residentCorpus: Int {
    var sum = 0
    var isCorpus = false
    for line in lines(of: "/proc/self/smaps") {
      if isHeader(line) {
        isCorpus = line.hasSuffix(".mels")
      } else if isCorpus, line.hasPrefix("Rss:") {
        sum += number(in: line) ?? 0
      }
    }
    return sum
  }

  /// A mapping's first line begins with its addresses, the others with a name and a colon.
  private static func isHeader(_ line: String) -> Bool {
    line.prefix { $0 != " " }.last != ":"
  }

  private static func kibibytes(_ name: String, in file: String) -> Int? {
    lines(of: file).first { $0.hasPrefix(name) }.flatMap(number)
  }

  private static func number(in line: String) -> Int? {
    line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }
  }

  /// Line by line, for the kernel hands out such files in pieces, which reading them whole takes for their end.
  private static func lines(of file: String) -> [String] {
    guard let stream = fopen(file, "r") else { return [] }
    defer { fclose(stream) }
    var lines: [String] = []
    var line: UnsafeMutablePointer<CChar>?
    var capacity = 0
    defer { free(line) }
    while case let count = getline(&line, &capacity, stream), count > 0, let line {
      let text = UnsafeRawBufferPointer(start: line, count: line[count - 1] == 0x0A ? count - 1 : count)
      lines.append(String(decoding: text, as: UTF8.self))
    }
    return lines
  }
}

/// Processor time of this thread: what others do on a busy machine does not count.
func threadNanoseconds() -> UInt64 { nanoseconds(of: CLOCK_THREAD_CPUTIME_ID) }

/// Processor time of all threads of this process.
func processNanoseconds() -> UInt64 { nanoseconds(of: CLOCK_PROCESS_CPUTIME_ID) }

private func nanoseconds(of clock: clockid_t) -> UInt64 {
  var time = timespec()
  clock_gettime(clock, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
