import Foundation
import Testing
import Training

@Suite(.serialized) struct StopRequestTests {
  @Test(arguments: [(SIGTERM, "SIGTERM"), (SIGUSR1, "SIGUSR1"), (SIGINT, "SIGINT")])
  func aSignalIsARequest(number: Int32, name: String) {
    StopRequest.install()
    defer { StopRequest.clear() }
    #expect(!StopRequest.isMade)
    raise(number)
    #expect(StopRequest.isMade)
    #expect(StopRequest.name == name)
    raise(SIGTERM)
    #expect(StopRequest.name == name)
  }
}
