import Audio
import SpeechData

/// The bytes of a WAV file of 16-bit samples, one channel.
package func waveFile(_ samples: [Float], rate: Int = 16_000) -> [UInt8] {
  func bytes(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
  let data = samples.flatMap { bytes(Int((max(-1, min(1, $0)) * 32_767).rounded()), 2) }
  let format = bytes(1, 2) + bytes(1, 2) + bytes(rate, 4) + bytes(2 * rate, 4) + bytes(2, 2) + bytes(16, 2)
  return Array("RIFF".utf8) + bytes(36 + data.count, 4) + Array("WAVEfmt ".utf8) + bytes(16, 4) + format
    + Array("data".utf8) + bytes(data.count, 4) + data
}

extension TemporaryFolder {
  /// Writes a folder per speaker with WAV files of noise, each of its own length and colour.
  ///
  /// - Parameter seconds: of the shortest; each next one of a speaker has a tenth more.
  /// - Returns: the folder's path.
  package func writeSound(
    speakers: Int, recordings: Int, seconds: Double = 1.2, rate: Int = 16_000, to name: String = "sound"
  ) throws -> String {
    for speaker in 0..<speakers {
      var random = SeededGenerator(seed: UInt64(speaker))
      for recording in 0..<recordings {
        var last: Float = 0
        let count = Int((seconds + 0.1 * Double(recording)) * Double(rate))
        let samples = (0..<count).map { _ in
          // A filter of first order, stronger for each next speaker.
          last = last * Float(speaker) / Float(speakers) + 0.2 * Float.random(in: -1..<1, using: &random)
          return last
        }
        try write(waveFile(samples, rate: rate), to: "\(name)/speaker\(speaker)/\(recording).wav")
      }
    }
    return self(name)
  }

  /// Packs a folder of sound, as one process does.
  ///
  /// - Returns: the folder's path.
  package func packSound(
    _ data: String, to name: String, files: Int = 4, audio: AudioSettings = AudioSettings(),
    features: FeatureSettings = FeatureSettings()
  ) throws -> String {
    let packer = try SoundPacker(
      SoundCorpus.open(data), FeatureExtractor(audio, features), output: self(name))
    let lock = try packer.claim()
    defer { lock.release() }
    try packer.extract(pieces: Array(0..<packer.pieces), threads: 1) { _, _ in }
    let gathered = try packer.gathered()
    let writer = try gathered.packer(files: files)
    try writer.run(files: 0..<files, threads: 1) { _, _ in }
    try writer.finish()
    try packer.finish(gathered)
    return self(name)
  }
}
