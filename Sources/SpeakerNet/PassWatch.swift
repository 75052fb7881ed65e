import TensorCore

/// Is told how far a training pass over a slice is, while it goes on, and gets a moment now and then: what of it must
/// be exchanged can be under way while the rest is computed.
///
/// Closures get the clock of the pass, for the time they take.
public struct PassWatch {
  /// What is worth being told of by itself: large enough for its bytes to count more than a message's latency.
  public static let leastFloats = 1 << 16

  /// The loss of the whole slice is known; the backward pass of (a part of) it follows.
  public let loss: (_ loss: Loss.Result, _ clock: PhaseClock) -> Void
  /// From element `finished` of the flat buffers to their end gradients are final, and from element `released` on
  /// parameters will not be read again. Both fall; that gradients are final from element 0 on is told last of all.
  public let gradients: (_ finished: Int, _ released: Int, _ clock: PhaseClock) -> Void
  /// Between two products of the backward pass.
  public let moment: (_ clock: PhaseClock) -> Void

  /// A watch that does these.
  public init(
    loss: @escaping (Loss.Result, PhaseClock) -> Void, gradients: @escaping (Int, Int, PhaseClock) -> Void,
    moment: @escaping (PhaseClock) -> Void = { _ in }
  ) {
    self.loss = loss
    self.gradients = gradients
    self.moment = moment
  }
}
