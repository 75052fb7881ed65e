import Diagnostics
import Foundation
import Synchronization

/// Makes features of sound files as a configuration's `audio:` and `features:` say. One serves all threads.
public final class FeatureExtractor: Sendable {
  /// What an extraction was made of.
  public struct Summary: Equatable, Sendable {
    /// Frames that were given.
    public var frames = 0
    /// Seconds of sound that were decoded, before anything was taken out.
    public var seconds = 0.0
    /// Samples a second of the file.
    public var fileRate = 0
  }

  /// How sound becomes samples.
  public let audio: AudioSettings
  /// The tables of the front end.
  public let frontEnd: FrontEnd
  /// What the features are made with.
  public let recipe: FeatureRecipe
  /// Values in a frame.
  public var bands: Int { frontEnd.bands }

  /// Tables by their two rates: a corpus has few.
  private let resamplers = Mutex<[[Int]: Resampler]>([:])
  private static let mostResamplers = 16

  /// - Throws: `.usage`, naming the key, for settings that make no features.
  public init(_ audio: AudioSettings, _ features: FeatureSettings) throws(Failure) {
    self.audio = audio
    frontEnd = try FrontEnd(features, rate: audio.rate)
    recipe = FeatureRecipe(audio, features)
  }

  /// The features of a recording.
  ///
  /// - Parameter minSeconds: what it has to have left; nil for what the settings say.
  /// - Returns: [T, bands], at least one frame, and what they were made of.
  /// - Throws: as `extract`.
  public func features(of source: SoundSource, minSeconds: Double? = nil) throws(Failure) -> (
    [Float], Summary
  ) {
    var all: [Float] = []
    let summary = try extract(source, minSeconds: minSeconds) { (frames) throws(Failure) in
      all.append(contentsOf: frames)
    }
    return (all, summary)
  }

  /// Makes features of a recording and gives them away as they come.
  ///
  /// Memory does not grow with the recording, but where frames depend on all others: without voice (`trim: energy`), or
  /// too far below the loudest (`top_db`). Then its features are held until its end.
  ///
  /// - Parameters:
  ///   - minSeconds: what it has to have left; nil for what the settings say.
  ///   - sink: takes the next frames, [count, bands].
  /// - Throws: `.badData`, naming the file, for what cannot be decoded or has too little left; `.missingInput` and
  ///   `.inputOutput`; what `sink` throws.
  public func extract(
    _ source: SoundSource, minSeconds: Double? = nil,
    sink: (_ frames: ArraySlice<Float>) throws(Failure) -> Void
  ) throws(Failure) -> Summary {
    let gain = try audio.peakDecibels.map { (level) throws(Failure) in
      try self.gain(for: source, decibels: level)
    }
    var reader = try SampleReader(source, audio, resampler: resampler, gain: gain)
    let trimsFrames = audio.trim == .energy
    let holds = trimsFrames || frontEnd.parameters.topDecibels != nil
    var stream = frontEnd.stream(keepingEnergies: trimsFrames)
    var samples: [Float] = []
    var features: [Float] = []
    var summary = Summary(fileRate: reader.fileRate)
    var goesOn = true
    while goesOn {
      samples.removeAll(keepingCapacity: true)
      goesOn = try reader.read(into: &samples)
      samples.withUnsafeBufferPointer { stream.push($0, into: &features) }
      if !goesOn {
        try check(reader.given, of: source, minSeconds)
        stream.finish(into: &features)
      }
      if !holds { try give(&features, &summary, sink) }
    }
    if trimsFrames {
      let voiced = VoiceActivity.voiced(logEnergies: stream.energies)
      keep(voiced, of: &features)
      try check((features.count / bands) * frontEnd.hop, of: source, minSeconds)
    }
    if holds {
      frontEnd.limitRange(of: &features)
      try give(&features, &summary, sink)
    }
    guard summary.frames > 0 else { throw tooShort(reader.given, source, 0) }
    summary.seconds = Double(reader.decoded) / Double(reader.fileRate)
    return summary
  }

  /// All samples of a recording, without features: what sound augmentation works on.
  ///
  /// - Returns: [n] at the settings' rate.
  public func samples(of source: SoundSource) throws(Failure) -> [Float] {
    let gain = try audio.peakDecibels.map { (level) throws(Failure) in
      try self.gain(for: source, decibels: level)
    }
    var reader = try SampleReader(source, audio, resampler: resampler, gain: gain)
    var samples: [Float] = []
    while try reader.read(into: &samples) {}
    return samples
  }

  /// Some of the samples of a recording, fewer where it ends before: the same that ``samples(of:)`` has there.
  ///
  /// What needs all of a recording (its loudest sample, its silence) makes all of it be read; otherwise the part alone is.
  ///
  /// - Parameter part: at the settings' rate.
  public func samples(of source: SoundSource, _ part: Range<Int>) throws(Failure) -> [Float] {
    guard SampleReader.canRead(partOf: source, audio) else {
      let all = try samples(of: source)
      return Array(all[min(part.lowerBound, all.count)..<min(part.upperBound, all.count)])
    }
    var reader = try SampleReader(source, audio, resampler: resampler, part: part)
    var samples: [Float] = []
    samples.reserveCapacity(part.count)
    while try reader.read(into: &samples) {}
    return samples
  }

  private func give(
    _ features: inout [Float], _ summary: inout Summary, _ sink: (ArraySlice<Float>) throws(Failure) -> Void
  ) throws(Failure) {
    guard !features.isEmpty else { return }
    summary.frames += features.count / bands
    try sink(features[...])
    features.removeAll(keepingCapacity: true)
  }

  private func keep(_ voiced: [Bool], of features: inout [Float]) {
    var kept = 0
    for (frame, isKept) in voiced.enumerated() where isKept {
      for band in 0..<bands { features[kept * bands + band] = features[frame * bands + band] }
      kept += 1
    }
    features.removeLast(features.count - kept * bands)
  }

  private func check(_ count: Int, of source: SoundSource, _ minSeconds: Double?) throws(Failure) {
    let least = minSeconds ?? audio.minSeconds
    guard Double(count) >= least * Double(audio.rate) else { throw tooShort(count, source, least) }
  }

  private func tooShort(_ count: Int, _ source: SoundSource, _ least: Double) -> Failure {
    let left =
      audio.trim == .none ? "has" : "has, without what is taken out (audio.trim: \(audio.trim.rawValue)),"
    let needed = least > 0 ? "at least \(least) s (audio.min_seconds)" : "enough for one frame"
    return Failure(
      .badData,
      "\(source.path): \(left) \(SampleReader.seconds(count, audio.rate)) s of sound; \(needed) is needed")
  }

  /// What brings the loudest sample to a level, as SoX's `norm`; 1 for silence.
  private func gain(for source: SoundSource, decibels: Double) throws(Failure) -> Float {
    var reader = try SampleReader(source, audio, resampler: resampler, trims: false)
    var peak: Float = 0
    var samples: [Float] = []
    var goesOn = true
    while goesOn {
      samples.removeAll(keepingCapacity: true)
      goesOn = try reader.read(into: &samples)
      for sample in samples { peak = max(peak, abs(sample)) }
    }
    return peak > 0 ? Float(pow(10, decibels / 20) / Double(peak)) : 1
  }

  private func resampler(_ from: Int, _ to: Int) -> Resampler {
    if let known = resamplers.withLock({ $0[[from, to]] }) { return known }
    let made = Resampler(from: from, to: to)
    resamplers.withLock { known in
      if known.count >= Self.mostResamplers { known.removeAll() }
      known[[from, to]] = made
    }
    return made
  }
}
