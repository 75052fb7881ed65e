import Foundation

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
