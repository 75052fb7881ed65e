import TensorCore
import Threads

/// The memory one worker computes in, kept from step to step so that a step allocates nothing.
public final class Workspace {
  /// Temporaries of a layer, and the activations between layers.
  public let arena: Arena
  /// Activations that the backward pass reads, apart from the temporaries: those can so be given back between.
  let kept: Arena
  /// What the backward pass needs.
  let tape = Tape()
  /// Time by phase.
  public let clock = PhaseClock()

  /// An empty workspace.
  ///
  /// - Parameter isPlanned: whether it has no memory, and a pass in it computes nothing but how much it would take.
  public init(isPlanned: Bool = false) {
    arena = Arena(isPlanned: isPlanned)
    kept = Arena(isPlanned: isPlanned)
  }

  /// The most bytes of activations that were in use.
  public var highWater: Int { arena.highWater + kept.highWater }
}

/// Matrices and masks in the order in which they were saved: last in, first out.
final class Tape {
  private var matrices = Stack<Matrix>()
  private var masks = Stack<DropoutMask>()

  func reset() {
    matrices.count = 0
    masks.count = 0
  }

  func push(_ matrix: Matrix) { matrices.push(matrix) }
  func pop() -> Matrix { matrices.pop() }
  func push(_ mask: DropoutMask) { masks.push(mask) }
  func popMask() -> DropoutMask { masks.pop() }

  /// Grows in the first pass of a network that is deeper than any recipe, and never again.
  private struct Stack<Element>: ~Copyable {
    private var capacity = 4096
    private var elements = UnsafeMutablePointer<Element>.allocate(capacity: 4096)
    var count = 0

    deinit { elements.deallocate() }

    mutating func push(_ element: Element) {
      if count == capacity { grow() }
      (elements + count).initialize(to: element)
      count += 1
    }

    mutating func pop() -> Element {
      precondition(count > 0, "a layer restored more than was saved")
      count -= 1
      return elements[count]
    }

    private mutating func grow() {
      let larger = UnsafeMutablePointer<Element>.allocate(capacity: 2 * capacity)
      larger.moveInitialize(from: elements, count: count)
      elements.deallocate()
      elements = larger
      capacity *= 2
    }
  }
}

/// The workspaces of a rank: one for each slice that is under way at once, which is one a thread unless BatchNorm
/// keeps all slices waiting for each other.
public final class WorkspacePool: @unchecked Sendable {
  // Unchecked: the lists change under the monitor.
  private let monitor = Monitor()
  private var spare: [Workspace] = []
  private var all: [Workspace] = []
  /// Whether the clocks of workspaces that are still to be made start at once, and keep intervals.
  private var clocks: (run: Bool, keepIntervals: Bool) = (false, false)

  /// A pool without a workspace.
  public init() {}

  /// A workspace that nobody else uses.
  public func take() -> Workspace {
    monitor.withLock {
      if let workspace = spare.popLast() { return workspace }
      let workspace = Workspace()
      if clocks.run { workspace.clock.start(keepsIntervals: clocks.keepIntervals) }
      all.append(workspace)
      spare.reserveCapacity(all.count)
      return workspace
    }
  }

  /// Gives it back.
  public func give(_ workspace: Workspace) { monitor.withLock { spare.append(workspace) } }

  /// Starts every workspace's clock, from zero; while none is in use.
  public func startClocks(keepsIntervals: Bool) {
    monitor.withLock {
      clocks = (true, keepsIntervals)
      for workspace in all { workspace.clock.start(keepsIntervals: keepsIntervals) }
    }
  }

  /// Time by phase of every workspace.
  public var allClocks: [PhaseClock] { monitor.withLock { all.map(\.clock) } }
}
