import Diagnostics
import Foundation

extension Communicator {
  /// Runs `body` on every rank; when it fails on any, all ranks throw the failure of the lowest rank it failed on.
  ///
  /// What may fail on one rank alone (reading its shards, say) runs in here, so that every rank ends with the same
  /// line and the same exit status and none waits for one that has gone. `body` must make no collective calls.
  ///
  /// - Throws: that rank's `Failure`. When the ranks did not all fail alike, its message names the rank and its
  ///   host: "rank 2 on node7: …". An error of another type becomes `Failure.internalError` with its description.
  public func agreeing<T>(_ body: () throws -> T) throws -> T {
    let outcome = Result(catching: body)
    var mine: Failure?
    if case .failure(let error) = outcome { mine = Failure(describing: error) }
    let statuses = try allGather(mine.map { $0.kind.rawValue } ?? 0)
    if statuses.allSatisfy({ $0 == 0 }) { return try outcome.get() }
    let messages = try allGather(text: mine?.message ?? "")
    let hosts = try allGather(text: hostName)
    guard let failed = statuses.firstIndex(where: { $0 != 0 }),
      let kind = Failure.Kind(rawValue: statuses[failed])
    else { throw Failure(.internalError, "ranks report the exit statuses \(statuses), which no failure has") }
    let alike =
      statuses.allSatisfy { $0 == statuses[failed] } && messages.allSatisfy { $0 == messages[failed] }
    let prefix = alike ? "" : "rank \(failed) on \(hosts[failed]): "
    throw Failure(kind, prefix + messages[failed])
  }

  /// Says why on standard error, as this rank, and ends every rank of the group at once: for what goes wrong where no
  /// error can be thrown to.
  public func abort(_ failure: Failure) -> Never {
    FileHandle.standardError.write(
      Data("error: rank \(rank) on \(hostName): \(failure.message)\n".utf8))
    abort(status: failure.kind.rawValue)
  }

  /// One number from every rank, in rank order.
  public func allGather<Number: FixedWidthInteger & BitwiseCopyable>(_ mine: Number) throws -> [Number] {
    var all = [Number](repeating: 0, count: size)
    let counts = [Int](repeating: MemoryLayout<Number>.size, count: size)
    try withUnsafeBytes(of: mine) { mine in
      try all.withUnsafeMutableBytes { try allGather(mine, into: $0, counts: counts) }
    }
    return all
  }

  /// One text from every rank, in rank order: host names, kernel names, messages.
  public func allGather(text mine: String) throws -> [String] {
    let bytes = Array(mine.utf8)
    let counts = try allGather(bytes.count)
    var all = [UInt8](repeating: 0, count: counts.reduce(0, +))
    try bytes.withUnsafeBytes { bytes in
      try all.withUnsafeMutableBytes { try allGather(bytes, into: $0, counts: counts) }
    }
    var rest = all[...]
    return counts.map { count in
      defer { rest = rest.dropFirst(count) }
      return String(decoding: rest.prefix(count), as: UTF8.self)
    }
  }

  /// Numbers from every rank, one after another, on rank 0; `nil` elsewhere.
  ///
  /// - Parameter counts: how many each rank gives.
  public func gather<Number: BitwiseCopyable & Numeric>(
    _ mine: UnsafeBufferPointer<Number>, counts: [Int]
  ) throws -> [Number]? {
    var all = [Number](repeating: 0, count: rank == 0 ? counts.reduce(0, +) : 0)
    try all.withUnsafeMutableBytes {
      try gather(
        UnsafeRawBufferPointer(mine), into: $0, counts: counts.map { $0 * MemoryLayout<Number>.stride },
        root: 0)
    }
    return rank == 0 ? all : nil
  }

  /// Ranks as people look for them: "rank 1 on h2, rank 3 on h4". Collective.
  public func places(of ranks: [Int]) throws -> String {
    let hosts = try allGather(text: hostName)
    return ranks.map { "rank \($0) on \(hosts[$0])" }.joined(separator: ", ")
  }

  /// Whether this rank is the first one of its host. Collective.
  public func isFirstOfHost() throws -> Bool {
    try allGather(text: hostName).firstIndex(of: hostName) == rank
  }
}
