import Foundation
import TensorCore

/// Augments crops of log-mel features, one after the other, in memory that it takes once.
///
/// Belongs to one thread at a time. What it does to a crop depends on the crop and on its ``AugmentationDraws`` alone.
public final class Augmenter {
  private let settings: AugmentationSettings
  private let scale: FeatureScale
  private let recordings: Recordings
  /// By position in `speed.factors`.
  private let bandMaps: [BandMap]
  /// [frames, bands], and the few more that a faster crop is made of.
  private let piece: Matrix, source: Matrix
  private let means: Matrix
  private let memory: UnsafeMutablePointer<Float>

  /// What is laid under speech, where it is.
  public struct Recordings: Sendable {
    /// By kind; `nil` where the settings do not ask for it.
    public var noise: NoiseRecordings?, music: NoiseRecordings?, speech: NoiseRecordings?

    /// Nothing yet.
    public init() {}
  }

  /// - Parameters:
  ///   - recordings: prepared; those of every kind that the settings give a probability.
  ///   - frames: the most that a crop has.
  public init(
    _ settings: AugmentationSettings, scale: FeatureScale, recordings: Recordings = Recordings(), frames: Int
  ) {
    self.settings = settings
    self.scale = scale
    self.recordings = recordings
    bandMaps = settings.speed.factors.map(scale.bandMap)
    let most = Int((Double(frames) * (settings.speed.factors.max() ?? 1)).rounded(.up)) + 2
    memory = .allocate(capacity: (frames + most + 1) * scale.bands)
    memory.initialize(repeating: 0, count: (frames + most + 1) * scale.bands)
    piece = Matrix(memory, rows: frames, columns: scale.bands)
    source = Matrix(memory + frames * scale.bands, rows: most, columns: scale.bands)
    means = Matrix(memory + (frames + most) * scale.bands, rows: 1, columns: scale.bands)
  }

  deinit { memory.deallocate() }

  // MARK: Reading

  /// Copies a crop at a speed: its start is drawn among the frames that the utterance has at that speed.
  ///
  /// - Parameters:
  ///   - speed: a position in `speed.factors`.
  ///   - start: what the start is drawn from.
  ///   - crop: [frames, bands]; what is beyond the end of the utterance is left as it is.
  /// - Returns: how many frames there were.
  /// - Throws: what `Corpus.copyFrames` throws.
  public func copyCrop(
    of utterance: Int, in corpus: Corpus, speed: Int, start stream: RandomStream, into crop: Matrix
  ) throws -> Int {
    let frames = corpus.utterances[utterance].frames
    let factor = settings.speed.factors[speed]
    if factor == 1 {
      let start = Crop.start(frames: frames, length: crop.rows, stream)
      let available = min(crop.rows, frames - start)
      try corpus.copyFrames(of: utterance, from: start, count: available, into: crop.base)
      return available
    }
    let framesAtSpeed = Int(Double(frames - 1) / factor) + 1
    let start = Crop.start(frames: framesAtSpeed, length: crop.rows, stream)
    let available = min(crop.rows, framesAtSpeed - start)
    let first = Int(Double(start) * factor)
    let last = min(frames - 1, Int(Double(start + available - 1) * factor) + 1)
    let source = source.rows(0..<last - first + 1), piece = piece.rows(0..<available)
    try corpus.copyFrames(of: utterance, from: first, count: source.rows, into: source.base)
    for t in 0..<available {
      setRow(t, of: piece, toPlace: Double(start + t) * factor - Double(first), in: source)
    }
    bandMaps[speed](piece, into: crop.rows(0..<available), floor: Float(scale.floor))
    return available
  }

  /// Sets a row to what is at `place`, between two rows, of another matrix.
  private func setRow(_ row: Int, of result: Matrix, toPlace place: Double, in source: Matrix) {
    let whole = min(max(Int(place), 0), source.rows - 1), next = min(whole + 1, source.rows - 1)
    result.rows(row..<row + 1).setBlend(
      of: source.rows(whole..<whole + 1), source.rows(next..<next + 1),
      weight: Float(min(max(place - Double(whole), 0), 1)))
  }

  // MARK: Distorting

  /// Adds noise, music or babble, changes the gain, warps time: what happens before a crop's mean is taken away.
  ///
  /// - Parameter crop: [frames, bands], without what is beyond the end of the utterance.
  /// - Throws: what reading the recordings throws.
  public func distort(_ crop: Matrix, _ draws: AugmentationDraws) throws {
    switch draws.event {
    case .noise: try add(recordings.noise, settings.noise.decibels, .noise, to: crop, draws)
    case .music: try add(recordings.music, settings.music.decibels, .music, to: crop, draws)
    case .babble: try add(recordings.speech, settings.babble.decibels, .babble, to: crop, draws)
    case .reverb, .dropFrequency, .dropChunk, nil: break
    }
    if settings.gain.low != 0 || settings.gain.high != 0 {
      crop.shift(by: Float(scale.shift(decibels: draws.gain)), floor: Float(scale.floor))
    }
    if let warp = draws.warp(frames: crop.rows) { self.warp(crop, warp) }
  }

  /// Adds recordings, each at a ratio of its own to the crop as it was: m' = ln(e^m + Σ g²·e^n), lhotse's rule.
  private func add(
    _ recordings: NoiseRecordings?, _ range: AugmentationSettings.NumberRange,
    _ event: AugmentationDraws.Event, to crop: Matrix, _ draws: AugmentationDraws
  ) throws {
    guard let recordings else { return }
    let units = Float(scale.unitsPerNat)
    let noise = piece.rows(0..<crop.rows), sum = source.rows(0..<crop.rows)
    let energy = crop.energies(units: units, into: sum)
    for index in 0..<draws.recordings(event) {
      let recording = draws.recording(index, of: recordings.utterances.count)
      try recordings.copy(recording, from: { draws.start(ofRecording: index, of: $0) }, into: noise)
      let ratio = pow(10, -draws.decibels(ofRecording: index, range) / 10)
      sum.add(noise, times: Float(ratio * energy / noise.energies(units: units, into: noise)))
    }
    crop.setLogarithms(of: sum, units: units)
  }

  /// Stretches what is before a frame and shrinks what is after it, or the other way round: each linearly, its first
  /// and last frames staying what they are, as in SpeechBrain.
  private func warp(_ crop: Matrix, _ parting: (from: Int, to: Int)) {
    let (from, to) = parting, last = crop.rows - 1
    let original = piece.rows(0..<crop.rows)
    original.copy(from: crop)
    for t in 0..<to {
      setRow(t, of: crop, toPlace: to > 1 ? Double(t * (from - 1)) / Double(to - 1) : 0, in: original)
    }
    for t in to...last {
      let way = to < last ? Double((t - to) * (last - from)) / Double(last - to) : 0
      setRow(t, of: crop, toPlace: Double(from) + way, in: original)
    }
  }

  // MARK: Masking

  /// Puts the crop's mean of each band where a mask is: what says least, whatever the features' zero is.
  ///
  /// - Parameter crop: as ``distort(_:_:)`` left it, or with its mean taken away.
  public func mask(_ crop: Matrix, _ draws: AugmentationDraws) {
    guard draws.isMasked else { return }
    crop.columnMeans(into: means)
    for index in 0..<settings.spec.bandMasks {
      let bands = draws.bandMask(index, bands: crop.columns)
      for t in 0..<crop.rows {
        (crop.base + t * crop.columns + bands.lowerBound).update(
          from: means.base + bands.lowerBound, count: bands.count)
      }
    }
    for index in 0..<settings.spec.timeMasks {
      for t in draws.timeMask(index, frames: crop.rows) {
        (crop.base + t * crop.columns).update(from: means.base, count: crop.columns)
      }
    }
  }
}
