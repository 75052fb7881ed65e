import Diagnostics
import Foundation

/// Where the sound of one recording lies, and what of it is meant.
public struct SoundSource: Equatable, Sendable {
  /// A part of a file.
  public struct Stretch: Equatable, Sendable {
    /// What `start` and `end` count.
    public enum Unit: Sendable {
      case seconds
      /// Samples of the file, at its own rate.
      case samples
    }

    /// Where it begins, at least 0.
    public let start: Double
    /// Where it ends, more than `start`; infinity at the file's end.
    public let end: Double
    /// What the two count.
    public let unit: Unit

    /// - Precondition: `0 <= start < end`.
    public init(start: Double, end: Double, unit: Unit = .seconds) {
      precondition(start >= 0 && start < end, "no stretch: \(start) to \(end)")
      self.start = start
      self.end = end
      self.unit = unit
    }

    /// The frames of a file of `rate` samples a second, rounded to the nearest; the end is `Int.max` at the file's end.
    func frames(rate: Int) -> Range<Int> {
      func frame(_ place: Double) -> Int {
        let frame = (unit == .seconds ? place * Double(rate) : place).rounded()
        return frame < 0x1p62 ? Int(frame) : .max
      }
      let first = frame(start)
      return first..<max(first, frame(end))
    }
  }

  /// The file.
  public let path: String
  /// The bytes of a sound file within it; nil for all.
  public let range: Range<Int>?
  /// What is meant of it, one after another; empty for all.
  public let stretches: [Stretch]
  /// The channel that is meant, from 0; nil to leave that to the settings.
  public let channel: Int?

  /// A sound file, or a part of one.
  public init(path: String, range: Range<Int>? = nil, stretches: [Stretch] = [], channel: Int? = nil) {
    self.path = path
    self.range = range
    self.stretches = stretches
    self.channel = channel
  }
}

/// Reads a recording a block at a time as the samples that features are made of: decoded, one channel, resampled, made as
/// loud as it should be, trimmed and cut, in this order. The memory that it takes does not depend on its length.
struct SampleReader: ~Copyable {
  /// Frames that are decoded at a time.
  private static let block = 1 << 15
  /// By how many seconds a stretch may end behind its file.
  private static let tolerance = 0.5

  /// The file's samples a second.
  let fileRate: Int
  /// Frames that were decoded and meant.
  private(set) var decoded = 0
  /// Samples that were given.
  private(set) var given = 0

  private let source: SoundSource
  private let settings: AudioSettings
  private var file: SoundFile
  private let channel: AudioSettings.Channel
  /// What is still to be read, in frames of the file.
  private var stretches: [Range<Int>]
  private var position = 0
  private var isAtEnd = false
  /// A block of interleaved samples.
  private let frames: UnsafeMutableBufferPointer<Float>
  private var resampling: [ResamplerStream]
  private let gain: Float?
  private var trim: SilenceTrim?
  private let most: Int
  /// Whether a part is read: where the file ends within it is then no matter.
  private let isPart: Bool
  /// Samples that are made and not given: those before a part that is asked for.
  private var surplus = 0

  /// - Parameters:
  ///   - resampler: tables for two rates.
  ///   - gain: what samples are multiplied with, the result cut off at ±1; nil for nothing.
  ///   - trims: whether silence is taken out where the settings say so.
  ///   - part: which of its samples are wanted, of a recording that ``canRead(partOf:_:)`` allows; nil for all.
  /// - Throws: `.missingInput`, `.inputOutput` or `.badData` for a file that cannot be read, `.badData` without the
  ///   channel that is meant.
  init(
    _ source: SoundSource, _ settings: AudioSettings, resampler: (_ from: Int, _ to: Int) -> Resampler,
    gain: Float? = nil, trims: Bool = true, part: Range<Int>? = nil
  ) throws(Failure) {
    let file = try SoundFile(path: source.path, range: source.range, truncated: settings.truncated)
    let channel = source.channel.map(AudioSettings.Channel.number) ?? settings.channel
    let (rate, channels) = (file.rate, file.channels)
    if case .number(let number) = channel, number >= channels {
      throw Failure(
        .badData,
        "\(source.path): channel \(number) is asked for, but there \(channels == 1 ? "is 1" : "are \(channels)"),"
          + " counted from 0")
    }
    self.file = file
    self.source = source
    self.settings = settings
    self.gain = gain
    self.channel = channel
    fileRate = rate
    frames = .allocate(capacity: Self.block * channels)
    frames.initialize(repeating: 0)
    var rates = [rate]
    if let bandwidth = settings.bandwidth, bandwidth < rate { rates.append(bandwidth) }
    if rates.last != settings.rate { rates.append(settings.rate) }
    let tables = zip(rates, rates.dropFirst()).map { resampler($0, $1) }
    resampling = tables.map { $0.stream() }
    var wanted = source.stretches.isEmpty ? [0..<Int.max] : source.stretches.map { $0.frames(rate: rate) }
    var most = settings.maxSeconds.map { Int(($0 * Double(settings.rate)).rounded()) } ?? .max
    if let part {
      let needed = tables.first?.needed(for: part) ?? (part, skipping: 0)
      let all = wanted[0]
      wanted = [
        all.lowerBound + needed.0.lowerBound..<min(all.upperBound, all.lowerBound + needed.0.upperBound)
      ]
      surplus = needed.skipping
      most = min(most, part.count)
    }
    stretches = wanted
    isPart = part != nil
    self.most = most
    trim = trims && settings.trim == .sox ? SilenceTrim(rate: settings.rate) : nil
  }

  deinit { frames.deallocate() }

  /// Whether a part of a recording can be read without all that is before it.
  static func canRead(partOf source: SoundSource, _ settings: AudioSettings) -> Bool {
    settings.trim == .none && settings.peakDecibels == nil && settings.bandwidth == nil
      && source.stretches.count < 2
  }

  /// Appends what the next block of the file gives, perhaps nothing.
  ///
  /// - Returns: whether there may be more.
  /// - Throws: `.badData` for a damaged file, or a stretch that ends more than half a second behind its file.
  mutating func read(into samples: inout [Float]) throws(Failure) -> Bool {
    guard !isAtEnd else { return false }
    let old = samples.count
    var mono = try nextFrames()
    let isLast = mono == nil
    for index in resampling.indices {
      var resampled: [Float] = []
      (mono ?? []).withUnsafeBufferPointer { resampling[index].push($0, into: &resampled) }
      if isLast { resampling[index].finish(into: &resampled) }
      mono = resampled
    }
    var block = mono ?? []
    if let gain {
      for index in block.indices { block[index] = min(1, max(-1, block[index] * gain)) }
    }
    if trim == nil {
      samples.append(contentsOf: block)
    } else {
      block.withUnsafeBufferPointer { trim!.push($0, into: &samples) }
      if isLast { trim!.finish(into: &samples) }
    }
    if surplus > 0 {
      let count = min(surplus, samples.count - old)
      samples.removeSubrange(old..<old + count)
      surplus -= count
    }
    let room = most - given
    if samples.count - old >= room { samples.removeLast(samples.count - old - room) }
    given += samples.count - old
    isAtEnd = isLast || given == most
    return !isAtEnd
  }

  /// One channel of the next frames that are meant; nil at the end.
  private mutating func nextFrames() throws(Failure) -> [Float]? {
    while let stretch = stretches.first {
      if position < stretch.lowerBound {
        try file.seek(toFrame: stretch.lowerBound)
        position = stretch.lowerBound
      }
      let wanted = min(Self.block, stretch.upperBound - position)
      let count =
        try wanted == 0
        ? 0 : file.read(into: UnsafeMutableBufferPointer(rebasing: frames[..<(wanted * file.channels)]))
      position += count
      if count == 0 {
        if !isPart, stretch.upperBound != .max, stretch.upperBound > position {
          let missing = Double(stretch.upperBound - position) / Double(file.rate)
          guard missing <= Self.tolerance else {
            throw Failure(
              .badData,
              "\(source.path): a segment ends at \(Self.seconds(stretch.upperBound, file.rate)) s, but the sound at"
                + " \(Self.seconds(position, file.rate)) s")
          }
        }
        stretches.removeFirst()
        if let next = stretches.first, next.lowerBound < position {
          try file.seek(toFrame: next.lowerBound)
          position = next.lowerBound
        }
        continue
      }
      decoded += count
      return mix(count)
    }
    return nil
  }

  private func mix(_ count: Int) -> [Float] {
    let channels = file.channels
    guard channels > 1 else { return Array(frames[..<count]) }
    switch channel {
    case .number(let number):
      return (0..<count).map { frames[$0 * channels + number] }
    case .mean:
      return (0..<count).map { frame in
        var sum: Float = 0
        for channel in 0..<channels { sum += frames[frame * channels + channel] }
        return sum / Float(channels)
      }
    }
  }

  static func seconds(_ count: Int, _ rate: Int) -> String {
    String(format: "%.2f", Double(count) / Double(rate))
  }
}
