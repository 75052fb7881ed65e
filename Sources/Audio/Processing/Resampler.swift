import CAudioKernels
import Foundation

/// Changes the rate of a signal as torchaudio's `functional.resample` does with its defaults: a sinc of width 6 under a
/// Hann window, rolled off at 0.99 of the lower Nyquist frequency.
///
/// With `o` and `n` the two rates over their greatest common divisor and `b = 0.99 · min(o, n)`,
///
///     y[qn + j] = Σ_k x[qo + k] · (b / o) · sinc(t) · cos²(πt / 12),   t = b · (k / o - j / n),  |t| < 6
///
/// Samples beyond the signal's ends are 0, and the result has `⌈n · samples / o⌉` samples. Taps are computed in double
/// precision and only those that are not 0 are kept; the result lies within 2e-6 of torchaudio's.
///
/// Tables only, made once for a pair of rates; ``stream()`` is what a signal passes through.
public struct Resampler: Sendable {
  /// How a recipe names it.
  public static let name = "torchaudio-sinc-hann-6-0.99"

  /// `o`: input samples from one group of outputs to the next.
  let step: Int
  /// `n`: outputs of a group.
  let phases: Int
  /// Of each phase, where its taps begin, relative to its group's first input.
  let starts: [Int32]
  /// [phases, length]
  let taps: [Float]
  /// Taps of a phase: a multiple of 8, filled with zeros.
  let length: Int

  private static let lowpassWidth = 6.0
  private static let rolloff = 0.99

  /// - Parameters:
  ///   - from: samples a second of the signal.
  ///   - to: samples a second that are wanted.
  public init(from: Int, to: Int) {
    precondition(from > 0 && to > 0, "no rates: \(from) and \(to)")
    let divisor = Self.greatestCommonDivisor(from, to)
    (step, phases) = (from / divisor, to / divisor)
    let (o, n) = (Double(step), Double(phases))
    let bandwidth = Self.rolloff * min(o, n)
    let reach = Self.lowpassWidth * o / bandwidth
    length = (Int(2 * reach) + 2 + 7) / 8 * 8
    var starts: [Int32] = []
    var taps: [Float] = []
    taps.reserveCapacity(phases * length)
    for phase in 0..<phases {
      let centre = o * Double(phase) / n
      let start = Int((centre - reach).rounded(.up))
      starts.append(Int32(start))
      for k in start..<start + length {
        let t = bandwidth * (Double(k) / o - Double(phase) / n)
        guard abs(t) < Self.lowpassWidth else {
          taps.append(0)
          continue
        }
        let window = cos(.pi * t / (2 * Self.lowpassWidth))
        let sinc = t == 0 ? 1 : sin(.pi * t) / (.pi * t)
        taps.append(Float(bandwidth / o * sinc * window * window))
      }
    }
    (self.starts, self.taps) = (starts, taps)
  }

  /// The number of samples that `count` become.
  public func samples(of count: Int) -> Int { (count * phases + step - 1) / step }

  /// What of a signal has to be known for a part of the result, which has the same bits then as in the whole.
  ///
  /// - Returns: the signal's samples, from the beginning of a group on, and how many of the result's to leave out.
  func needed(for part: Range<Int>) -> (Range<Int>, skipping: Int) {
    // Groups whose taps reach before where the signal is begun.
    let lead = (max(0, -Int(starts[0])) + step - 1) / step
    let group = max(0, part.lowerBound / phases - lead)
    let end = (part.upperBound + phases - 1) / phases * step + step + length
    return (group * step..<end, part.lowerBound - group * phases)
  }

  /// A whole signal, resampled.
  public func callAsFunction(_ samples: [Float]) -> [Float] {
    var stream = stream()
    var result: [Float] = []
    samples.withUnsafeBufferPointer { stream.push($0, into: &result) }
    stream.finish(into: &result)
    return result
  }

  /// The way of one signal through the resampler.
  public func stream() -> ResamplerStream { ResamplerStream(self) }

  private static func greatestCommonDivisor(_ a: Int, _ b: Int) -> Int {
    b == 0 ? a : greatestCommonDivisor(b, a % b)
  }
}

/// A signal on its way through a ``Resampler``, a block at a time; the blocks' sizes change no bit.
public struct ResamplerStream: Sendable {
  private let tables: Resampler
  /// Samples of the signal from `origin` on, zeros before its first.
  private var pending: [Float]
  private var origin: Int
  private var received = 0
  private var produced = 0

  init(_ tables: Resampler) {
    self.tables = tables
    let lead = max(0, -Int(tables.starts[0]))
    pending = [Float](repeating: 0, count: lead)
    origin = -lead
  }

  /// Takes a block, and appends what can be told of the result.
  public mutating func push(_ samples: UnsafeBufferPointer<Float>, into result: inout [Float]) {
    pending.append(contentsOf: samples)
    received += samples.count
    emit(below: .max, into: &result)
  }

  /// Ends the signal, and appends the rest.
  public mutating func finish(into result: inout [Float]) {
    let total = tables.samples(of: received)
    pending.append(contentsOf: repeatElement(0, count: 2 * (tables.length + tables.step)))
    emit(below: total, into: &result)
  }

  private mutating func emit(below total: Int, into result: inout [Float]) {
    let (step, phases, length) = (tables.step, tables.phases, tables.length)
    let available = origin + pending.count
    // Groups of which every phase has its taps.
    let spare = available - Int(tables.starts[phases - 1]) - length
    let groups = spare < 0 ? 0 : spare / step + 1
    let end = min(total, max(produced, groups * phases))
    guard end > produced else { return }
    let count = end - produced
    let old = result.count
    result.append(contentsOf: repeatElement(0, count: count))
    result.withUnsafeMutableBufferPointer { y in
      pending.withUnsafeBufferPointer { x in
        audio_resample(
          x.baseAddress! - origin, Int64(step), Int64(phases), tables.starts, tables.taps, length,
          Int64(produced), count, y.baseAddress! + old)
      }
    }
    produced = end
    let needed = produced / phases * step + Int(tables.starts[0])
    if needed > origin {
      pending.removeFirst(min(pending.count, needed - origin))
      origin += min(needed - origin, available - origin)
    }
  }
}
