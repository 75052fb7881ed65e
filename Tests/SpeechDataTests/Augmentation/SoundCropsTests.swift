import Audio
import Diagnostics
import Foundation
import SpeechData
import TensorCore
import TestSupport
import Testing

@Suite("Crops of sound")
struct SoundCropsTests {
  let folder = TemporaryFolder.inMemory()

  @Test(
    "one to which nothing happens has the very features of the pack, wherever it lies",
    arguments: [FeatureSettings.Kind.dvector40, .wespeaker80], [16_000, 8_000, 44_100])
  func pack(_ kind: FeatureSettings.Kind, rate: Int) throws {
    try holds(AudioSettings(), kind, rate: rate)
  }

  @Test("so it has where the whole recording has to be read")
  func whole() throws {
    var audio = AudioSettings()
    audio.peakDecibels = -3
    audio.trim = .sox
    try holds(audio, .dvector40, rate: 16_000)
    audio.bandwidth = 8_000
    try holds(audio, .dvector40, rate: 22_050)
  }

  private func holds(_ audio: AudioSettings, _ kind: FeatureSettings.Kind, rate: Int) throws {
    let data = try folder.writeSound(speakers: 2, recordings: 3, rate: rate, to: "sound\(rate)")
    var features = FeatureSettings()
    features.kind = kind
    let extractor = try FeatureExtractor(audio, features)
    let sound = try SoundCorpus.open(data)
    let packed = try packed(sound, extractor)
    let settings = AugmentationSettings()
    let crops = SoundCrops(
      try SoundCrops.Material(sound, packed: packed, extractor: extractor, recordings: .init()), settings)
    let bands = extractor.bands
    for (index, utterance) in packed.utterances.enumerated() {
      // Within it, all of it, and more than it has.
      for (length, seed) in [(30, 1), (30, 2), (1, 3), (utterance.frames, 4), (utterance.frames + 5, 5)]
        as [(Int, UInt64)]
      {
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: 2 * length * bands)
        defer { memory.deallocate() }
        memory.initialize(repeating: -99, count: 2 * length * bands)
        let crop = Matrix(memory, rows: length, columns: bands)
        let stream = Crop.training(seed: seed, step: 0, shard: 0, sample: 0)
        let count = try crops.copyCrop(
          of: index, frames: utterance.frames, speed: 0, start: stream,
          AugmentationDraws(settings, seed: seed, step: 0, shard: 0, sample: 0), into: crop)
        #expect(count == min(length, utterance.frames))
        let start = Crop.start(frames: utterance.frames, length: length, stream)
        try packed.copyFrames(of: index, from: start, count: count, into: memory + length * bands)
        let made = UnsafeBufferPointer(start: memory, count: count * bands)
        let expected = UnsafeBufferPointer(start: memory + length * bands, count: count * bands)
        #expect(made.elementsEqual(expected), "\(utterance.path), \(length) frames from \(start)")
      }
    }
  }

  @Test("a frame that was taken out has no place in the sound")
  func energy() throws {
    let data = try folder.writeSound(speakers: 2, recordings: 2)
    var audio = AudioSettings()
    let sound = try SoundCorpus.open(data)
    let packed = try packed(sound, FeatureExtractor(audio, FeatureSettings()))
    audio.trim = .energy
    let extractor = try FeatureExtractor(audio, FeatureSettings())
    #expect {
      _ = try SoundCrops.Material(sound, packed: packed, extractor: extractor, recordings: .init())
    } throws: { "\($0)".hasPrefix("audio.trim: energy takes frames out") }
  }

  private func packed(_ sound: SoundCorpus, _ extractor: FeatureExtractor) throws -> Corpus {
    let output = folder("pack")
    try? FileManager.default.removeItem(atPath: output)
    let packer = try SoundPacker(sound, extractor, output: output)
    try packer.claim().release()
    try packer.extract(pieces: Array(0..<packer.pieces), threads: 2) { _, _ in }
    let gathered = try packer.gathered()
    let writer = try gathered.packer(files: 2)
    try writer.run(files: 0..<2, threads: 1) { _, _ in }
    try writer.finish()
    try packer.finish(gathered)
    let corpus = try Corpus.open(output)
    try corpus.prepare(Array(corpus.utterances.indices), threads: 1) { _, _ in }
    return corpus
  }
}
