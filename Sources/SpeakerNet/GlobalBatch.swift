import TensorCore

/// The global batch that a slice is a part of, as a training pass over the slice sees it.
///
/// A pass asks it for what needs all slices, and tells it how far it is while it goes on: what must be exchanged can
/// then be under way while the rest is computed. Slices are numbered within whoever carries them; a pass that is the
/// whole batch has none. Every call comes on the thread of the pass, whose clock takes the time.
public protocol GlobalBatch: AnyObject {
  /// Replaces `count` floats by their sum over all slices, in one fixed order; waits for the other slices, which ask
  /// for the same sums in the same order.
  func sum(_ values: UnsafeMutablePointer<Float>, count: Int, ofSlice slice: Int, clock: PhaseClock)

  /// The loss of the whole slice is known; the backward pass of (the last part of) it follows.
  func lossIsKnown(_ loss: Loss.Result, ofSlice slice: Int, clock: PhaseClock)

  /// From element `offset` of the flat buffers to their end the slice's gradient is final, and from element `released`
  /// on its parameters will not be read again. Both fall; that gradients are final from element 0 on is told last.
  func gradientsAreFinal(from offset: Int, released: Int, ofSlice slice: Int, clock: PhaseClock)

  /// A moment between two products of the backward pass: what is under way elsewhere moves on only when somebody
  /// looks after it.
  func moment(clock: PhaseClock)
}
