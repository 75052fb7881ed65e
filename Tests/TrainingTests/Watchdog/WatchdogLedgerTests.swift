import Collectives
import Testing
import Training

/// Who is missing, and the line that says so.
@Suite struct WatchdogLedgerTests {
  /// A ledger of ranks on two hosts, of which all were heard of at time 0.
  struct Job {
    var ledger: WatchdogLedger
    let hosts: [String]

    init(ranks: Int, timeout: Double = 60) {
      ledger = WatchdogLedger(ranks: 0..<ranks, timeout: timeout, at: 0)
      hosts = (0..<ranks).map { $0 < (ranks + 1) / 2 ? "node1" : "node2" }
    }

    mutating func hear(_ ranks: some Sequence<Int>, at time: Double, _ beat: Heartbeat) {
      for rank in ranks { ledger.hear(beat, from: rank, at: time) }
    }

    func message(at time: Double) -> String? { ledger.stall(at: time)?.message(hosts: hosts, timeout: 60) }
  }

  func computing(_ step: Int, still: Double = 0) -> Heartbeat {
    Heartbeat(step: step, operation: .computing, stillness: still)
  }

  func waiting(_ operation: Activity.Operation, _ step: Int, still: Double = 0) -> Heartbeat {
    Heartbeat(step: step, operation: operation, isWaiting: true, stillness: still)
  }

  @Test("ranks that move are left alone") func moving() {
    var job = Job(ranks: 4)
    #expect(job.message(at: 59.9) == nil)
    for time in stride(from: 0.0, to: 1_000, by: 1) {
      job.hear(0..<4, at: time, computing(Int(time)))
      #expect(job.message(at: time + 1) == nil)
    }
  }

  @Test("a rank that is not heard of is named, with its host and where the others wait") func unheard() {
    var job = Job(ranks: 4)
    job.hear(0..<4, at: 10, computing(42))
    for time in stride(from: 11.0, to: 70, by: 1) {
      job.hear([0, 1, 3], at: time, waiting(.gradientExchange, 42, still: time - 11))
      #expect(job.message(at: time) == nil)
    }
    #expect(
      job.message(at: 70)
        == "rank 2 on node2 has not been heard of for 60 s (last seen in step 42, computing);"
        + " ranks 0, 1, 3 wait in step 42, gradient exchange; --resume goes on from the last checkpoint")
  }

  @Test("a host that is gone is named once, with the ranks it had") func lostHost() {
    var job = Job(ranks: 16)
    job.hear(0..<8, at: 60, waiting(.lossSum, 1, still: 59))
    #expect(
      job.message(at: 60)
        == "ranks 8-15 on node2 have not been heard of for 60 s; ranks 0-7 wait in step 1, loss sum;"
        + " --resume goes on from the last checkpoint")
  }

  @Test("a rank that hangs in its own work is named, not those that wait for it") func hanging() {
    var job = Job(ranks: 3)
    job.hear([0, 2], at: 100, waiting(.lossSum, 7, still: 61))
    job.hear([1], at: 100, Heartbeat(step: 7, operation: .readingData, stillness: 60.5))
    #expect(
      job.message(at: 100)
        == "rank 1 on node1 has not moved for 60 s (last seen in step 7, reading data);"
        + " ranks 0, 2 wait in step 7, loss sum; --resume goes on from the last checkpoint")
  }

  @Test("ranks may wait as long as one moves") func waiting() {
    var job = Job(ranks: 3)
    job.hear([0, 2], at: 5_000, waiting(.validation, 7, still: 4_000))
    job.hear([1], at: 5_000, Heartbeat(step: 7, operation: .validation, stillness: 0.1))
    #expect(job.message(at: 5_001) == nil)
    job.hear([1], at: 5_001, Heartbeat(step: 7, operation: .validation, stillness: 60))
    #expect(job.message(at: 5_001)?.hasPrefix("rank 1 on node1 has not moved") == true)
  }

  @Test("when all wait for each other nobody is to blame, but the job ends") func allWait() {
    var job = Job(ranks: 3)
    job.hear([0, 2], at: 100, waiting(.lossSum, 7, still: 61))
    job.hear([1], at: 100, waiting(.parameterGather, 6, still: 59))
    #expect(job.message(at: 100) == nil)
    job.hear([1], at: 100, waiting(.parameterGather, 6, still: 60))
    #expect(
      job.message(at: 100)
        == "no rank has moved for 60 s, each waits for others: ranks 0, 2 in step 7, loss sum, rank 1 in"
        + " step 6, parameter gather; is a link between the hosts down?;"
        + " --resume goes on from the last checkpoint")
  }

  @Test("a rank that has ended is not missed") func ended() {
    var job = Job(ranks: 2)
    job.hear([1], at: 1, Heartbeat(step: 9, operation: .checkpoint, isLast: true))
    for time in stride(from: 1.0, to: 500, by: 1) {
      job.hear([0], at: time, computing(9))
      #expect(job.message(at: time) == nil)
    }
  }

  @Test("ranks that stopped in different places are not said to have stopped in one") func places() {
    var job = Job(ranks: 4)
    job.hear([0, 1], at: 60, waiting(.lossSum, 3))
    job.hear([2], at: 0, computing(3))
    #expect(
      job.message(at: 60)?.hasPrefix("ranks 2, 3 on node2 have not been heard of for 60 s; ranks 0, 1 wait")
        == true)
  }
}
