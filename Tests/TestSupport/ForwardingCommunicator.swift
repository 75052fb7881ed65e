import Collectives
import Diagnostics

/// A rank that passes every call on to another group's: a test writes down only what it wants to be different.
package protocol ForwardingCommunicator: Communicator where Request == Group.Request {
  associatedtype Group: Communicator

  var group: Group { get }
}

extension ForwardingCommunicator {
  package var rank: Int { group.rank }
  package var size: Int { group.size }
  package var hostName: String { group.hostName }
  package var activity: Activity? { group.activity }

  package func barrier() throws(Failure) { try group.barrier() }

  package func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws(Failure) {
    try group.broadcast(bytes, root: root)
  }

  package func allGather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int]
  ) throws(Failure) {
    try group.allGather(mine, into: all, counts: counts)
  }

  package func gather(
    _ mine: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, counts: [Int], root: Int
  ) throws(Failure) {
    try group.gather(mine, into: all, counts: counts, root: root)
  }

  package func startAllToAll(
    _ plan: ExchangePlan, send: UnsafePointer<Float>, receive: UnsafeMutablePointer<Float>
  ) throws(Failure) -> Group.Request {
    try group.startAllToAll(plan, send: send, receive: receive)
  }

  package func startAllGather(
    _ plan: GatherPlan, inPlace values: UnsafeMutablePointer<Float>, lane: ExchangeLane
  ) throws(Failure) -> Group.Request {
    try group.startAllGather(plan, inPlace: values, lane: lane)
  }

  package func test(_ request: inout Group.Request) throws(Failure) -> Bool { try group.test(&request) }
  package func wait(_ request: inout Group.Request) throws(Failure) { try group.wait(&request) }

  package func allReduceSum(_ values: UnsafeMutableBufferPointer<Float>) throws(Failure) {
    try group.allReduceSum(values)
  }

  package func openHeartbeats() throws -> (any HeartbeatChannel)? { try group.openHeartbeats() }
  package func abort(status: Int32) -> Never { group.abort(status: status) }
}
