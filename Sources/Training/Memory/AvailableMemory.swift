import Diagnostics
import Foundation

/// The memory that this process and its host still have.
package struct AvailableMemory: Equatable, Sendable {
  /// Bytes that the host can give to all processes together: what is free, and no more than a control group allows.
  package let host: Int
  /// Bytes that limits leave to this process (`ulimit -v`); `nil` without.
  package let process: Int?

  init(host: Int, process: Int?) {
    self.host = host
    self.process = process
  }

  /// What there is now.
  ///
  /// - Parameters:
  ///   - threads: that will still be started: each has a stack and a heap of its own.
  ///   - processes: where the kernel tells of processes.
  ///   - groups: where the kernel tells of control groups.
  package init(threads: Int, processes: String = "/proc", groups: String = "/sys/fs/cgroup") {
    let free = Self.kibibytes("MemAvailable:", in: "\(processes)/meminfo") ?? Int.max
    host = min(free, Self.groupLimit(processes: processes, groups: groups) ?? Int.max)
    process = OutOfMemory.addressSpaceLimit.map { limit in
      let used = Self.kibibytes("VmSize:", in: "\(processes)/self/status") ?? 0
      return max(0, limit - used - threads * Self.bytesOfThread)
    }
  }

  /// Address space of a thread: its stack, and what malloc reserves for it.
  private static let bytesOfThread = (8 + 64) << 20

  /// The bytes behind a name in a file of lines such as `MemAvailable:   24242000 kB`.
  private static func kibibytes(_ name: String, in file: String) -> Int? {
    guard let line = lines(of: file).first(where: { $0.hasPrefix(name) }) else { return nil }
    let words = line.split(whereSeparator: \.isWhitespace)
    return words.count > 1 ? Int(words[1]).map { $0 * 1024 } : nil
  }

  /// What the control groups of this process leave, the tightest of them: of version 2, or of version 1's memory.
  private static func groupLimit(processes: String, groups: String) -> Int? {
    var limits: [Int] = []
    for line in lines(of: "\(processes)/self/cgroup") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard fields.count == 3 else { continue }
      let isSecond = fields[1].isEmpty
      guard isSecond || fields[1].split(separator: ",").contains("memory") else { continue }
      let root = isSecond ? groups : "\(groups)/memory"
      let (limit, usage, inactive) =
        isSecond
        ? ("memory.max", "memory.current", "inactive_file")
        : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
      var path = String(fields[2])
      // In a container the group may be the root that one sees.
      while true {
        let folder = path == "/" ? root : "\(root)\(path)"
        if let most = number(of: "\(folder)/\(limit)"), most < 1 << 60 {
          let used = number(of: "\(folder)/\(usage)") ?? 0
          // Pages of files that nobody uses are given up when memory is short.
          let stale =
            lines(of: "\(folder)/memory.stat").first { $0.hasPrefix("\(inactive) ") }
            .flatMap { Int($0.dropFirst(inactive.count + 1)) } ?? 0
          limits.append(max(0, most - max(0, used - stale)))
        }
        guard path != "/", let slash = path.lastIndex(of: "/") else { break }
        path = slash == path.startIndex ? "/" : String(path[..<slash])
      }
    }
    return limits.min()
  }

  private static func number(of file: String) -> Int? { lines(of: file).first.flatMap { Int($0) } }

  private static func lines(of file: String) -> [String] {
    // The kernel's files have no size; they are read in pieces until nothing comes.
    guard let stream = fopen(file, "r") else { return [] }
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16_384)
    while bytes.count < 1 << 20, case let count = fread(&buffer, 1, buffer.count, stream), count > 0 {
      bytes += buffer[..<count]
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
