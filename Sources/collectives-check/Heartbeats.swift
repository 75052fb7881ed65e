import Collectives
import Diagnostics
import Glibc
import Synchronization
import Threads

/// Every rank sends numbered heartbeats to rank 0, which answers each, while the ranks' main threads sum floats: all
/// heartbeats arrive once, in order and unchanged, and all sums are right.
func checkHeartbeats<C: Communicator>(_ group: C) throws {
  guard let channel = try group.openHeartbeats(), let activity = group.activity else {
    throw Failure(.internalError, "this MPI does not grant MPI_THREAD_MULTIPLE")
  }
  let (rank, size) = (group.rank, group.size)
  let outcome = Outcome()
  _ = startDetachedThread {
    do {
      if rank == 0 { try answer(channel, ranks: size) } else { try ask(channel, rank: rank) }
      outcome.end(nil)
    } catch {
      outcome.end("rank \(rank): \(error)")
    }
  }
  // All ranks go on until every rank's other thread has finished.
  let count = 1_000
  let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
  defer { values.deallocate() }
  var unfinished = size
  while unfinished > 0 {
    values.initialize(repeating: Float(rank + 1))
    try group.allReduceSum(values)
    guard values.allSatisfy({ $0 == Float(size * (size + 1) / 2) }) else {
      throw Failure(.internalError, "a sum beside the heartbeats is wrong on rank \(rank)")
    }
    unfinished = try group.allGather(outcome.hasEnded ? 0 : 1).reduce(0, +)
  }
  guard activity.movement > 0, !activity.isWaiting else {
    throw Failure(.internalError, "the group does not note that it waits")
  }
  try group.agreeing { if let message = outcome.message { throw Failure(.internalError, message) } }
}

private let rounds = 300

private func beat(_ round: Int, of rank: Int) -> Heartbeat {
  let operations = Activity.Operation.allCases
  return Heartbeat(
    step: round << 32 | rank, operation: operations[round % operations.count],
    isWaiting: round.isMultiple(of: 2),
    stillness: Double(round) / 7, isLast: round == rounds - 1)
}

/// Rank 0: takes what comes and sends it back.
private func answer(_ channel: any HeartbeatChannel, ranks: Int) throws {
  var next = Array(repeating: 0, count: ranks)
  while next.dropFirst().contains(where: { $0 < rounds }) {
    guard let (from, arrived) = try channel.receive() else {
      sched_yield()
      continue
    }
    guard arrived == beat(next[from], of: from) else {
      throw Failure(.internalError, "\(arrived) came from rank \(from) as number \(next[from])")
    }
    next[from] += 1
    while !(try channel.send(arrived, to: from)) { sched_yield() }
  }
}

/// The other ranks: send one after the other and wait for each to come back.
private func ask(_ channel: any HeartbeatChannel, rank: Int) throws {
  for round in 0..<rounds {
    while !(try channel.send(beat(round, of: rank), to: 0)) { sched_yield() }
    var answer = try channel.receive()
    while answer == nil {
      sched_yield()
      answer = try channel.receive()
    }
    guard let answer, answer.from == 0, answer.beat == beat(round, of: rank) else {
      throw Failure(.internalError, "\(String(describing: answer)) is not the answer to number \(round)")
    }
  }
}

/// How the thread beside has ended.
private final class Outcome: Sendable {
  private let state = Mutex<(hasEnded: Bool, message: String?)>((false, nil))

  func end(_ message: String?) { state.withLock { $0 = (true, message) } }

  var hasEnded: Bool { state.withLock { $0.hasEnded } }
  var message: String? { state.withLock { $0.message } }
}
