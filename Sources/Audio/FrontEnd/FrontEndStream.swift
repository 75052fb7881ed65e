/// A signal on its way through a ``FrontEnd``, a block at a time; the blocks' sizes change no bit.
public struct FrontEndStream: Sendable {
  private let tables: FrontEnd
  /// Samples of the signal with what is put before it, from `origin` on.
  private var pending: [Float] = []
  /// The place of the first of them in the signal with its margins.
  private var origin = 0
  /// Frames that were made.
  private var made = 0
  /// Whether the margin before the signal is in place; mirroring has to wait for as many samples.
  private var hasMargin = false
  private let keepsEnergies: Bool
  /// Of each frame that was made, what ``VoiceActivity`` decides by; empty unless they are kept.
  public private(set) var energies: [Float] = []

  init(_ tables: FrontEnd, keepingEnergies: Bool) {
    self.tables = tables
    keepsEnergies = keepingEnergies
    switch tables.parameters.framing {
    case .reflected: break
    case .zeroPadded, .snipped:
      pending = [Float](repeating: 0, count: tables.margin)
      hasMargin = true
    }
  }

  /// Takes a block, and appends the frames that can be told, [frames, bands].
  public mutating func push(_ samples: UnsafeBufferPointer<Float>, into features: inout [Float]) {
    pending.append(contentsOf: samples)
    if !hasMargin {
      guard pending.count > tables.margin else { return }
      pending.insert(contentsOf: (1...tables.margin).reversed().map { pending[$0] }, at: 0)
      hasMargin = true
    }
    // The last frames are made of a full set of lanes or at the end.
    let ready = max(0, (origin + pending.count - tables.windowLength) / tables.hop + 1 - made)
    emit(ready / FrontEnd.lanes * FrontEnd.lanes, into: &features)
  }

  /// Ends the signal, and appends its last frames.
  public mutating func finish(into features: inout [Float]) {
    let margin = tables.margin
    let isEmpty = origin == 0 && pending.count == (hasMargin ? margin : 0)
    guard !isEmpty || tables.parameters.framing == .snipped else { return }
    switch tables.parameters.framing {
    case .snipped: break
    case .zeroPadded: pending.append(contentsOf: repeatElement(0, count: margin))
    case .reflected:
      if hasMargin {
        let last = pending.count - 1
        pending.append(contentsOf: (1...margin).map { pending[last - $0] })
      } else {
        mirrorShortSignal()
      }
    }
    let total = origin + pending.count
    guard total >= tables.windowLength else { return }
    emit((total - tables.windowLength) / tables.hop + 1 - made, into: &features)
  }

  private mutating func emit(_ count: Int, into features: inout [Float]) {
    guard count > 0 else { return }
    pending.withUnsafeBufferPointer {
      tables.append(
        count, from: $0.baseAddress! + (made * tables.hop - origin), number: made, to: &features)
    }
    if keepsEnergies {
      pending.withUnsafeBufferPointer { pending in
        for frame in made..<made + count {
          let start = frame * tables.hop - origin
          energies.append(
            VoiceActivity.logEnergy(
              UnsafeBufferPointer(rebasing: pending[start..<start + tables.windowLength])))
        }
      }
    }
    made += count
    // Frames to come, and what the end is mirrored from.
    let needless = min(made * tables.hop - origin, pending.count - tables.margin - 1)
    if needless > 0 {
      pending.removeFirst(needless)
      origin += needless
    }
  }

  /// The margins of a signal that is not longer than one: mirror images of mirror images.
  private mutating func mirrorShortSignal() {
    let signal = pending
    let margin = tables.margin
    func source(_ index: Int) -> Int {
      guard signal.count > 1 else { return 0 }
      let period = 2 * (signal.count - 1)
      let phase = ((index % period) + period) % period
      return min(phase, period - phase)
    }
    pending = (-margin..<signal.count + margin).map { signal[source($0)] }
  }
}
