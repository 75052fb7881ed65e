import Audio
import Diagnostics
import TestSupport
import Testing

@Suite("The reader of WAV")
struct WaveFuzzTests {
  @Test("answers thousands of damaged files with samples or one line", arguments: WaveBytes.Encoding.allCases)
  func damaged(_ encoding: WaveBytes.Encoding) throws {
    let folder = TemporaryFolder.inMemory()
    let values = noise(120).map { encoding == .unsigned8 ? (128 + 100 * $0).rounded() : ($0 * 100).rounded() }
    var random = SeededGenerator(seed: UInt64(encoding.bits))
    var read = 0, refused = 0
    for round in 0..<1_000 {
      var wave = WaveBytes(encoding, values, channels: [1, 2, 3][round % 3])
      wave.isExtensible = round % 2 == 0
      wave.magic = round % 5 == 0 ? "RF64" : "RIFF"
      if round % 5 == 0 { wave.before = WaveBytes.chunk("ds64", [UInt8](repeating: 1, count: 24)) }
      if round % 7 == 0 { wave.between = WaveBytes.chunk("LIST", [1, 2, 3]) }
      // Most changes to the header: the samples can be anything.
      let bytes = wave.bytes
      let header = bytes.count - wave.data.count
      var damaged = Array(bytes[..<header]).mutated(using: &random) + wave.data
      if round % 4 == 0 { damaged.removeLast(Int.random(in: 0...damaged.count, using: &random)) }
      let path = try folder.write(damaged)
      do {
        let policy = AudioSettings.Truncated.allCases[round % 2]
        let result = try decode(path, truncated: policy, block: 17)
        // What begins with 0xFF may have become MP3.
        #expect(result.samples.count <= damaged.count || damaged[0] == 0xFF)
        #expect(!result.samples.contains { !$0.isFinite })
        read += 1
      } catch {
        #expect(error.kind == .badData && error.message.hasPrefix(path), "\(error)")
        refused += 1
      }
    }
    #expect(read > 30 && refused > 30, "\(read) were read, \(refused) refused")
  }
}
