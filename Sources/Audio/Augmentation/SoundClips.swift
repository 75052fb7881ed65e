import Diagnostics

/// Reads stretches of sound files as they are laid under other sound: one channel, at one rate, as many samples as are
/// wanted. Belongs to one thread at a time, for its memory.
public final class SoundClips {
  private let rates: (first: Int?, last: Int)
  private let limits: SoundFile.Limits
  private var resamplers: [[Int]: Resampler] = [:]
  private var frames: [Float] = []

  /// - Parameter audio: whose rate and bandwidth the clips get. That they are cut short is no error.
  public init(_ audio: AudioSettings, limits: SoundFile.Limits = SoundFile.Limits()) {
    rates = (audio.bandwidth, audio.rate)
    self.limits = limits
  }

  /// A clip from a place that `start` chooses; a shorter sound is repeated. Several channels become their mean.
  ///
  /// - Parameters:
  ///   - count: samples that are wanted, at least one.
  ///   - start: given how many places there are, in the file's own frames, one of them.
  /// - Throws: what `SoundFile` throws.
  public func clip(of path: String, count: Int, from start: (Int) -> Int) throws(Failure) -> [Float] {
    var file = try SoundFile(path: path, truncated: .accept, limits: limits)
    let steps = steps(from: file.rate)
    // Enough for the last sample's taps.
    let wanted = (count * file.rate + rates.last - 1) / rates.last + (steps.count > 1 ? 64 * steps.count : 0)
    var length = file.frames ?? 0
    if file.frames == nil { length = try countFrames(of: path) }
    if length > wanted {
      let first = start(length - wanted + 1)
      precondition((0...length - wanted).contains(first))
      try file.seek(toFrame: first)
    }
    let mono = try read(&file, atMost: wanted) { frame in
      var sum: Float = 0
      for sample in frame { sum += sample }
      return sum / Float(frame.count)
    }
    let samples = resampled(mono, steps)
    guard !samples.isEmpty else { throw Failure(.badData, "\(path): has no samples") }
    if samples.count >= count { return Array(samples[..<count]) }
    return (0..<count).map { samples[$0 % samples.count] }
  }

  /// The first channel of a sound, from its beginning: a room's response.
  ///
  /// - Parameter count: the most samples that are wanted.
  /// - Throws: what `SoundFile` throws.
  public func response(of path: String, atMost count: Int) throws(Failure) -> [Float] {
    var file = try SoundFile(path: path, truncated: .accept, limits: limits)
    let wanted = (count * file.rate + rates.last - 1) / rates.last + 128
    let steps = steps(from: file.rate)
    return Array(resampled(try read(&file, atMost: wanted) { $0[0] }, steps).prefix(count))
  }

  /// Up to so many frames, each made one sample.
  private func read(
    _ file: inout SoundFile, atMost wanted: Int, mix: (UnsafeBufferPointer<Float>) -> Float
  ) throws(Failure) -> [Float] {
    let channels = file.channels
    if frames.count < Self.block * channels { frames = [Float](repeating: 0, count: Self.block * channels) }
    var samples: [Float] = []
    samples.reserveCapacity(wanted)
    var failure: Failure?
    frames.withUnsafeMutableBufferPointer { frames in
      do throws(Failure) {
        while samples.count < wanted {
          let room = min(Self.block, wanted - samples.count) * channels
          let count = try file.read(into: UnsafeMutableBufferPointer(rebasing: frames[..<room]))
          guard count > 0 else { break }
          for frame in 0..<count {
            samples.append(
              mix(UnsafeBufferPointer(rebasing: frames[frame * channels..<(frame + 1) * channels])))
          }
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return samples
  }

  /// The length of a sound whose header does not tell it.
  private func countFrames(of path: String) throws(Failure) -> Int {
    var file = try SoundFile(path: path, truncated: .accept, limits: limits)
    var length = 0
    while true {
      let count = try read(&file, atMost: Self.block) { _ in 0 }.count
      guard count > 0 else { return length }
      length += count
    }
  }

  /// The rates that a sound passes through.
  private func steps(from rate: Int) -> [Int] {
    var steps = [rate]
    if let first = rates.first, first < rate { steps.append(first) }
    if steps.last != rates.last { steps.append(rates.last) }
    return steps
  }

  private func resampled(_ samples: [Float], _ steps: [Int]) -> [Float] {
    zip(steps, steps.dropFirst()).reduce(samples) { samples, step in
      let resampler = resamplers[[step.0, step.1]] ?? Resampler(from: step.0, to: step.1)
      resamplers[[step.0, step.1]] = resampler
      return resampler(samples)
    }
  }

  /// Frames that are read at a time.
  private static let block = 1 << 12
}
