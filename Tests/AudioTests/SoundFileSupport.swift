import Audio
import Diagnostics
import TestSupport

/// All of a file, interleaved, read in blocks of so many frames.
func decode(
  _ path: String, range: Range<Int>? = nil, truncated: AudioSettings.Truncated = .error, block: Int = 1_000,
  from frame: Int = 0
) throws(Failure) -> (samples: [Float], rate: Int, channels: Int) {
  var file = try SoundFile(path: path, range: range, truncated: truncated)
  if frame > 0 { try file.seek(toFrame: frame) }
  let samples = try rest(of: &file, block: block)
  return (samples, file.rate, file.channels)
}

/// What is left of a file, interleaved.
func rest(of file: inout SoundFile, block: Int = 1_000) throws(Failure) -> [Float] {
  var buffer = [Float](repeating: 0, count: block * file.channels)
  var samples: [Float] = []
  var failure: Failure?
  buffer.withUnsafeMutableBufferPointer { buffer in
    do throws(Failure) {
      while true {
        let count = try file.read(into: buffer)
        if count == 0 { break }
        samples += buffer[..<(count * file.channels)]
      }
    } catch { failure = error }
  }
  if let failure { throw failure }
  return samples
}

/// A few thousand numbers in -1 ..< 1 that are the same in every run.
func noise(_ count: Int, seed: UInt64 = 1) -> [Double] {
  var random = SeededGenerator(seed: seed)
  return (0..<count).map { _ in Double.random(in: -1..<1, using: &random) }
}
