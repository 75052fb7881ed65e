import SpeakerNet
import TensorCore
import Threads

/// The workspaces of a rank: one for each slice that is under way at once, which is one a thread unless BatchNorm
/// keeps all slices waiting for each other.
final class WorkspacePool: @unchecked Sendable {
  // Unchecked: the lists change under the monitor.
  private let monitor = Monitor()
  private var spare: [Workspace] = []
  private var all: [Workspace] = []
  private let measures: Bool
  private let keepsIntervals: Bool

  init(measures: Bool, keepsIntervals: Bool) {
    self.measures = measures
    self.keepsIntervals = keepsIntervals
  }

  /// A workspace that nobody else uses.
  func take() -> Workspace {
    monitor.withLock {
      if let workspace = spare.popLast() { return workspace }
      let clock = PhaseClock(isOn: measures, keepsIntervals: keepsIntervals)
      let workspace = Workspace(clock: clock)
      all.append(workspace)
      spare.reserveCapacity(all.count)
      return workspace
    }
  }

  /// Gives it back.
  func give(_ workspace: Workspace) { monitor.withLock { spare.append(workspace) } }

  /// The clocks of all workspaces.
  var clocks: [PhaseClock] { monitor.withLock { all.map(\.clock) } }
}
