/// Puts sound into rooms. Belongs to one thread at a time, for its memory.
public final class Reverberator {
  /// What becomes of the way that sound takes to the microphone, and of its loudness.
  public enum Alignment: String, Sendable, CaseIterable {
    /// WeSpeaker's: the response over its length ‖h‖₂; the sound begins later.
    case none
    /// Kaldi's `wav-reverberate --shift-output --normalize-output`: the direct sound stays where the sound was, and the
    /// mean square of what is given is what it was.
    case peak
    /// SpeechBrain's `reverberate`: a circular convolution, the response turned to its greatest magnitude; the mean
    /// magnitude is what it was.
    case rotation
  }

  private let convolver = Convolver()
  private var result: [Float] = []

  /// Takes no memory yet.
  public init() {}

  /// Reverberates `samples`, as many as there were.
  ///
  /// - Parameter response: of the room, at the samples' rate. One of zeros alone changes nothing.
  public func reverberate(_ samples: inout [Float], _ response: [Float], _ alignment: Alignment) {
    let count = samples.count
    let length = response.squareSum.squareRoot()
    guard count > 0, length > 0 else { return }
    let peak = response.indices.max { abs(response[$0]) < abs(response[$1]) }!
    // No more of it is heard.
    let heard = response.prefix(alignment == .peak ? count + peak : count)
    let loudness = alignment == .rotation ? samples.magnitudeSum : samples.squareSum.squareRoot()
    result.removeAll(keepingCapacity: true)
    result.append(contentsOf: repeatElement(0, count: count + heard.count - 1))
    result.withUnsafeMutableBufferPointer { result in
      samples.withUnsafeBufferPointer { samples in
        heard.withUnsafeBufferPointer { convolver.convolve(samples, with: $0, into: result) }
      }
    }
    switch alignment {
    case .none:
      copy(from: 0, to: &samples)
      samples.scale(by: 1 / length)
    case .peak:
      copy(from: peak, to: &samples)
      let now = samples.squareSum.squareRoot()
      if now > 0 { samples.scale(by: loudness / now) }
    case .rotation:
      // What goes beyond one end comes in at the other.
      samples.indices.forEach { samples[$0] = 0 }
      for n in result.indices { samples[(n - peak + 2 * count) % count] += result[n] }
      let now = samples.magnitudeSum
      if now > 0 { samples.scale(by: loudness / now) }
    }
  }

  private func copy(from start: Int, to samples: inout [Float]) {
    for n in samples.indices { samples[n] = n + start < result.count ? result[n + start] : 0 }
  }
}
