import Foundation
import Testing
import Training

/// Each in a process of its own: a request to stop is the whole process's, and other tests train here.
@Suite struct StopRequestTests {
  @Test func sigterm() async {
    await #expect(processExitsWith: .success) { expectRequest(by: SIGTERM, "SIGTERM") }
  }

  @Test func sigusr1() async {
    await #expect(processExitsWith: .success) { expectRequest(by: SIGUSR1, "SIGUSR1") }
  }

  @Test func sigint() async {
    await #expect(processExitsWith: .success) { expectRequest(by: SIGINT, "SIGINT") }
  }

  @Test func aSecondSigintEndsTheProcess() async {
    await #expect(processExitsWith: .exitCode(128 + SIGINT)) {
      expectRequest(by: SIGINT, "SIGINT", then: SIGINT)
    }
  }
}

/// Raises a signal and exits unless it was noted; the first one that comes is the one that is named.
private func expectRequest(by number: Int32, _ name: String, then second: Int32 = SIGTERM) {
  StopRequest.install()
  precondition(!StopRequest.isMade)
  raise(number)
  precondition(StopRequest.isMade && StopRequest.name == name)
  raise(second)
  precondition(StopRequest.name == name)
  StopRequest.clear()
  precondition(!StopRequest.isMade && StopRequest.name == nil)
}
