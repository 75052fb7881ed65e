import Diagnostics
import Launcher
import Testing

/// What is done after an ending, judged by numbers alone.
@Suite("After an ending") struct RestartPolicyTests {
  typealias Ending = RestartPolicy.Ending
  typealias Decision = RestartPolicy.Decision

  func decisions(maxRestarts: Int, _ endings: [Ending]) -> [Decision] {
    var policy = RestartPolicy(maxRestarts: maxRestarts)
    return endings.map { policy.decide(after: $0) }
  }

  @Test(
    "done, stopped and mistakes of the command line are not started again", arguments: [0, 75, 64, 65, 66])
  func isOver(status: Int32) {
    for begun in [false, true] {
      #expect(
        decisions(maxRestarts: 3, [Ending(status: status, hasBegun: begun, step: begun ? 10 : nil)])
          == [.end(status, reason: nil)])
    }
  }

  @Test("whatever else ends a training is started again", arguments: [1, 70, 71, 74, 76, 137, 139, 205, 255])
  func isStartedAgain(status: Int32) {
    for begun in [false, true] {
      #expect(
        decisions(maxRestarts: 1, [Ending(status: status, hasBegun: begun, step: nil)])
          == [.restart(number: 1, seconds: 1)])
    }
  }

  @Test("without restarts the status is all there is to say") func never() {
    #expect(
      decisions(maxRestarts: 0, [Ending(status: 137, hasBegun: true, step: 5)]) == [.end(137, reason: nil)])
  }

  @Test("no more restarts than allowed, however it goes on") func limit() {
    let made = decisions(maxRestarts: 2, [10, 20, 30].map { Ending(status: 76, hasBegun: true, step: $0) })
    #expect(
      made == [
        .restart(number: 1, seconds: 1), .restart(number: 2, seconds: 1),
        .end(76, reason: "given up after 2 restarts"),
      ])
  }

  @Test("backing off doubles to a minute, and begins anew when the training has got on") func backoff() {
    var policy = RestartPolicy(maxRestarts: 100)
    func seconds(_ step: Int?) -> Int? {
      guard
        case .restart(_, let seconds) = policy.decide(after: Ending(status: 137, hasBegun: true, step: step))
      else {
        return nil
      }
      return seconds
    }
    #expect((0..<9).map { _ in seconds(nil) } == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    #expect([seconds(50), seconds(50), seconds(50), seconds(100), seconds(100)] == [1, 2, 4, 1, 2])
    // Fewer steps than once are no progress.
    #expect([seconds(50), seconds(100)] == [4, 8])
  }

  @Test("what fails twice at the start is hopeless", arguments: [1, 70, 74, 132, 137])
  func hopelessAtTheStart(status: Int32) {
    let failed = Ending(status: status, hasBegun: false, step: nil)
    #expect(
      decisions(maxRestarts: 9, [failed, failed])
        == [
          .restart(number: 1, seconds: 1),
          .end(status, reason: "failed twice at the start with status \(status): not started again"),
        ])
  }

  @Test("what fails in two ways at the start is not") func differentAtTheStart() {
    let endings = [1, 74, 1, 74].map { Ending(status: $0, hasBegun: false, step: nil) }
    #expect(decisions(maxRestarts: 3, endings).last == .end(74, reason: "given up after 3 restarts"))
  }

  @Test("the program's own error at the same step again is hopeless", arguments: [70, 71, 74])
  func hopelessAtAStep(status: Int32) {
    let failed = Ending(status: status, hasBegun: true, step: 40)
    #expect(
      decisions(maxRestarts: 9, [failed, failed]).last
        == .end(status, reason: "failed twice at the same step with status \(status): not started again"))
    let further = Ending(status: status, hasBegun: true, step: 50)
    #expect(decisions(maxRestarts: 9, [failed, further]).last == .restart(number: 2, seconds: 1))
  }

  @Test("a process, a rank or a host lost again and again is bad luck", arguments: [137, 76, 205])
  func badLuck(status: Int32) {
    let lost = Ending(status: status, hasBegun: true, step: 40)
    #expect(decisions(maxRestarts: 9, [lost, lost, lost]).last == .restart(number: 3, seconds: 4))
  }

  @Test("hosts that are away are waited for, at the start too", arguments: [69, 76, 205])
  func away(status: Int32) {
    let lost = Ending(status: status, hasBegun: false, step: nil)
    #expect(decisions(maxRestarts: 9, [lost, lost, lost]).last == .restart(number: 3, seconds: 4))
  }

  @Test("bad luck between two equal errors makes them two") func interruptedHopelessness() {
    let full = Ending(status: 74, hasBegun: true, step: 40)
    let lost = Ending(status: 137, hasBegun: true, step: 40)
    #expect(decisions(maxRestarts: 9, [full, lost, full]).last == .restart(number: 3, seconds: 4))
  }

  @Test("a stop that saved nothing keeps the program's word, and not mpirun's numbers")
  func statusOfStop() {
    for status: Int32 in [0, 64, 66, 70, 74, 75, 76] { #expect(RestartPolicy.statusOfStop(status) == status) }
    for status: Int32 in [1, 130, 137, 143, 205] { #expect(RestartPolicy.statusOfStop(status) == 75) }
  }

  @Test("statuses in words") func words() {
    #expect(RestartPolicy.describe(137) == "a process was ended by SIGKILL")
    #expect(RestartPolicy.describe(163) == "a process was ended by signal 35")
    #expect(RestartPolicy.describe(205) == "a host was lost")
    #expect(RestartPolicy.describe(76) == "a rank was missing or differed")
    #expect(RestartPolicy.describe(3) == "status 3")
  }
}
