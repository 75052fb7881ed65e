import Audio
import Diagnostics
import TestSupport
import Testing

@Suite("The libraries that decode")
struct CompressedFuzzTests {
  @Test("answer hundreds of damaged files with samples or one line", arguments: SoundFixture.all)
  func damaged(_ fixture: SoundFixture) throws {
    let folder = TemporaryFolder.inMemory()
    let whole = try SoundFixture.bytes(fixture.name)
    var random = SeededGenerator(seed: UInt64(whole.count))
    var refused = 0
    let rounds = 200
    for round in 0..<rounds {
      // Every third time the header alone, where lengths and rates are.
      let place = round % 3 == 0 ? min(200, whole.count) : whole.count
      var bytes = Array(whole[..<place]).mutated(using: &random) + whole[place...]
      if round % 5 == 0 { bytes.removeLast(Int.random(in: 0...bytes.count, using: &random)) }
      // Else no damage would get past the checksums.
      if fixture.isOgg, round % 4 != 0 { bytes = withOggChecksums(bytes) }
      let path = try folder.write(bytes)
      do {
        try readTwice(path, AudioSettings.Truncated.allCases[round % 2])
      } catch let failure as Failure {
        #expect(failure.kind == .badData && failure.message.hasPrefix(path), "\(failure)")
        refused += 1
      }
    }
    #expect(refused > rounds / 10, "\(refused) of \(rounds) were refused")
  }

  /// All of a file, and then the second half again.
  private func readTwice(_ path: String, _ policy: AudioSettings.Truncated) throws(Failure) {
    var limits = SoundFile.Limits()
    limits.seconds = 5
    var file = try SoundFile(path: path, truncated: policy, limits: limits)
    let samples = try rest(of: &file)
    #expect(samples.count <= 5 * file.rate * file.channels)
    try file.seek(toFrame: samples.count / file.channels / 2)
    _ = try rest(of: &file)
  }
}
