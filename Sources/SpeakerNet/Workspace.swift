import TensorCore

/// The memory one worker computes in, kept from step to step so that a step allocates nothing.
public final class Workspace {
  /// Activations.
  public let arena = Arena()
  /// What the backward pass needs.
  let tape = Tape()
  /// Time by phase.
  public let clock: PhaseClock

  /// An empty workspace.
  public init(clock: PhaseClock = PhaseClock(isOn: false)) { self.clock = clock }
}

/// Matrices and masks in the order in which they were saved: last in, first out.
final class Tape {
  // Deeper than any recipe (a conformer layer saves 25); checked when pushed.
  private static let capacity = 4096
  private let matrices = UnsafeMutablePointer<Matrix>.allocate(capacity: capacity)
  private let masks = UnsafeMutablePointer<UnsafeMutablePointer<UInt8>>.allocate(capacity: capacity)
  private var matrixCount = 0
  private var maskCount = 0

  deinit {
    matrices.deallocate()
    masks.deallocate()
  }

  func reset() {
    matrixCount = 0
    maskCount = 0
  }

  func push(_ matrix: Matrix) {
    precondition(matrixCount < Self.capacity, "the network is deeper than the tape")
    (matrices + matrixCount).initialize(to: matrix)
    matrixCount += 1
  }

  func pop() -> Matrix {
    precondition(matrixCount > 0, "a layer restored more than was saved")
    matrixCount -= 1
    return matrices[matrixCount]
  }

  func push(_ mask: UnsafeMutablePointer<UInt8>) {
    precondition(maskCount < Self.capacity, "the network is deeper than the tape")
    (masks + maskCount).initialize(to: mask)
    maskCount += 1
  }

  func popMask() -> UnsafeMutablePointer<UInt8> {
    precondition(maskCount > 0, "a layer restored more masks than were saved")
    maskCount -= 1
    return masks[maskCount]
  }
}
