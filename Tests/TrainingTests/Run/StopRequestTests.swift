import Foundation
import Testing
import Training

/// Each in a process of its own: a request to stop is the whole process's, and other tests train here.
@Suite struct StopRequestTests {
  @Test("SIGTERM asks for a stop, by its name") func sigterm() async {
    await #expect(processExitsWith: .success) { expectRequest(by: SIGTERM, "SIGTERM") }
  }

  @Test("SIGUSR1 asks for a stop, by its name") func sigusr1() async {
    await #expect(processExitsWith: .success) { expectRequest(by: SIGUSR1, "SIGUSR1") }
  }

  @Test("SIGINT asks for a stop, by its name") func sigint() async {
    await #expect(processExitsWith: .success) { expectRequest(by: SIGINT, "SIGINT") }
  }

  @Test("SIGHUP, when the terminal is closed") func sighup() async {
    await #expect(processExitsWith: .success) { expectRequest(by: SIGHUP, "SIGHUP") }
  }

  @Test("a process that was told to survive its terminal does") func nohup() async {
    await #expect(processExitsWith: .success) {
      signal(SIGHUP, SIG_IGN)
      StopRequest.install()
      raise(SIGHUP)
      precondition(!StopRequest.isMade)
    }
  }

  @Test("a request that takes its time is spoken of, once") func delay() async {
    await #expect(processExitsWith: .exitCode(3)) {
      StopRequest.install { exit($0 == "SIGTERM" ? 3 : 4) }
      raise(SIGTERM)
      raise(SIGUSR1)
      sleep(60)
    }
  }

  @Test("a second SIGINT ends the process") func twice() async {
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
