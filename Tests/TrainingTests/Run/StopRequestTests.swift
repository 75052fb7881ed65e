import Foundation
import Testing
import Training

@Suite(.serialized) struct StopRequestTests {
  @Test(arguments: [(SIGTERM, "SIGTERM"), (SIGUSR1, "SIGUSR1"), (SIGINT, "SIGINT")])
  func aSignalIsARequest(number: Int32, name: String) {
    StopRequest.install()
    defer { StopRequest.clear() }
    // Threads of the test runner hold signals back; one that is raised here is to be handled here.
    var signals = sigset_t()
    sigemptyset(&signals)
    for signal in [SIGTERM, SIGUSR1, SIGINT] { sigaddset(&signals, signal) }
    pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    #expect(!StopRequest.isMade)
    raise(number)
    #expect(StopRequest.isMade)
    #expect(StopRequest.name == name)
    raise(SIGTERM)
    #expect(StopRequest.name == name)
  }
}
