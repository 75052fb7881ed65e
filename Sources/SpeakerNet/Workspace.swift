import TensorCore

/// The memory one worker computes in, kept from step to step so that a step allocates nothing.
public final class Workspace {
  /// Temporaries of a layer, and the activations between layers.
  public let arena = Arena()
  /// Activations that the backward pass reads, apart from the temporaries: those can so be given back between.
  let kept = Arena()
  /// What the backward pass needs.
  let tape = Tape()
  /// Time by phase.
  public let clock: PhaseClock

  /// An empty workspace.
  public init(clock: PhaseClock = PhaseClock(isOn: false)) { self.clock = clock }

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
