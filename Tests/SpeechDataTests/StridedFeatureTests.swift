import Diagnostics
import Foundation
import SpeechData
import TestSupport
import Testing

@Suite("Feature files whose tensor is a view")
struct StridedFeatureTests {
  private func fixture(_ name: String) throws -> URL {
    try #require(Bundle.module.url(forResource: name, withExtension: "pt", subdirectory: "Fixtures/features"))
  }

  /// A corpus whose utterances are the fixtures, in order.
  private func corpus(_ fixtures: [(name: String, frames: Int)]) throws -> TestCorpus {
    let made = try TestCorpus([fixtures.map(\.frames)])
    for (number, fixture) in fixtures.enumerated() {
      let path = "\(made.source)/\(TestCorpus.name(number))"
      try Data(contentsOf: self.fixture(fixture.name)).write(to: URL(fileURLWithPath: path))
    }
    return made
  }

  @Test("are read like contiguous ones, whole or in part, packed or not")
  func views() throws {
    let made = try corpus([("transposed", 300), ("cut", 20), ("bins", 25), ("transposed_cut", 50)])
    try made.pack(2)
    try made.pack(2)  // files without a checksum of just the tensor are kept, too
    for directory in [made.source, made.packed] {
      let corpus = try Corpus.open(directory)
      try corpus.prepareEverything()
      for (u, frames) in made.frames.enumerated() {
        for range in [0..<frames, 0..<1, frames - 1..<frames, frames / 3..<frames - 2] {
          #expect(try corpus.frames(of: u, range) == TestCorpus.values(u, range))
        }
      }
    }
  }

  @Test("are refused when neither rows nor columns are contiguous")
  func everySecondBin() throws {
    let made = try corpus([("every_second_bin", 20)])
    let error = failure { try Corpus.open(made.source).prepareEverything() }
    #expect(error?.kind == .badData)
    #expect(error?.message.hasSuffix("holds a tensor of strides [80, 2]; save a contiguous() one") == true)
  }
}
