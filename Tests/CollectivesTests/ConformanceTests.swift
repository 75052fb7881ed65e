import Collectives
import CollectivesConformance
import Diagnostics
import TestSupport
import Testing

@Suite("The conformance suite over the groups of one process")
struct ConformanceTests {
  @Test("one process on its own")
  func solo() throws {
    try Conformance().run(on: SoloGroup())
  }

  @Test("threads", arguments: 1...8)
  func threads(ranks: Int) throws {
    let passed = try ThreadGroup.run(size: ranks) { group in
      var passed = 0
      try Conformance().run(on: group) { _ in passed += 1 }
      return passed
    }
    #expect(passed == Array(repeating: Conformance<ThreadGroup>().checks.count, count: ranks))
  }

  @Test("the suite notices a group that mixes up its ranks")
  func noticesOtherOrder() {
    #expect(throws: Failure.self) {
      _ = try ThreadGroup.run(size: 4) { group in
        try Conformance().run(on: Mixed(group))
      }
    }
  }
}

/// A group in which blocks of equal size from the first and the last rank change places.
private struct Mixed: ForwardingCommunicator {
  let group: ThreadGroup
  init(_ group: ThreadGroup) { self.group = group }

  func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> ThreadGroup.Request {
    let table = { (start: UnsafePointer<Int32>) in
      UnsafeBufferPointer(start: start, count: plan.ranks).map { Int($0) }
    }
    // Peers' blocks change places in the receive buffer where their sizes allow it.
    let counts = table(plan.receiveCounts)
    var offsets = table(plan.receiveOffsets)
    if counts[0] == counts[size - 1] { offsets.swapAt(0, size - 1) }
    let swapped = try ExchangePlan(
      sendCounts: table(plan.sendCounts), sendOffsets: table(plan.sendOffsets), receiveCounts: counts,
      receiveOffsets: offsets)
    var request = try group.startAllToAll(swapped, send: send, receive: receive)
    try group.wait(&request)
    return request
  }
}
