import CMPIBridge
import Collectives
import Diagnostics

/// Heartbeats as MPI messages: no ports or interfaces beside those the exchange uses anyway.
///
/// `@unchecked Sendable`: made by one thread, then used by the one thread of the watchdog.
final class HeartbeatMessages: HeartbeatChannel, @unchecked Sendable {
  private let ranks: Int
  /// For each rank, the message on its way there: MPI reads it until the request has completed.
  private let outgoing: UnsafeMutablePointer<UInt64>
  private let incoming: UnsafeMutablePointer<UInt64>
  private var requests: [cmpi_request]

  /// Collective, once in a process.
  init(ranks: Int) throws(Failure) {
    self.ranks = ranks
    outgoing = .allocate(capacity: ranks * Heartbeat.wordCount)
    incoming = .allocate(capacity: Heartbeat.wordCount)
    requests = Array(repeating: cmpi_request(), count: ranks)
    try check(cmpi_open_heartbeats(), "MPI_Comm_dup")
  }

  deinit {
    incoming.deallocate()
    // A message that never got away, to a rank that is gone, is left to MPI for the rest of the process's life.
    if requests.allSatisfy({ $0.word == 0 }) { outgoing.deallocate() }
  }

  func send(_ beat: Heartbeat, to rank: Int) throws(Failure) -> Bool {
    var done: Int32 = 0
    try check(cmpi_test(&requests[rank], &done), "MPI_Test")
    guard done != 0 else { return false }
    let words = outgoing + rank * Heartbeat.wordCount
    beat.write(to: words)
    try check(
      cmpi_send_heartbeat(words, Int32(Heartbeat.wordCount), Int32(rank), &requests[rank]), "MPI_Isend")
    return true
  }

  func receive() throws(Failure) -> (from: Int, beat: Heartbeat)? {
    var from: Int32 = -1
    try check(cmpi_receive_heartbeat(incoming, Int32(Heartbeat.wordCount), &from), "MPI_Recv")
    return from < 0 ? nil : (Int(from), Heartbeat(words: incoming))
  }
}
