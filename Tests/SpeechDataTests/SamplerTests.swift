import Diagnostics
import SpeechData
import TensorCore
import Testing

@Suite("The shard sampler")
struct SamplerTests {
  let members = (0..<37).map { $0 * 3 + 1 }

  @Test("takes every member once an epoch, in another order each time", arguments: [1, 4, 37, 50])
  func epochs(sliceSize: Int) throws {
    var sampler = try ShardSampler(members: members, sliceSize: sliceSize, seed: 87, shard: 2)
    let epochs = 5
    let steps = (epochs * members.count + sliceSize - 1) / sliceSize
    let draws = (0..<steps).flatMap { step in (0..<sliceSize).map { sampler.utterance(step: step, slot: $0) }
    }
    var orders: Set<[Int]> = []
    for e in 0..<epochs {
      let epoch = Array(draws[e * members.count..<(e + 1) * members.count])
      #expect(epoch.sorted() == members)
      orders.insert(epoch)
    }
    #expect(orders.count == epochs)
  }

  @Test("gives the same draw whenever it is asked")
  func pure() throws {
    let reference = try ShardSampler(members: members, sliceSize: 5, seed: 87, shard: 0)
    var inOrder = reference
    let draws = (0..<100).map { step in (0..<5).map { inOrder.utterance(step: step, slot: $0) } }
    var backwards = reference
    for step in (0..<100).reversed() {
      for slot in (0..<5).reversed() {
        var fresh = reference
        #expect(backwards.utterance(step: step, slot: slot) == draws[step][slot])
        #expect(fresh.utterance(step: step, slot: slot) == draws[step][slot])
      }
    }
  }

  @Test("draws differently for another seed or shard")
  func keyed() throws {
    func draws(seed: UInt64, shard: Int) throws -> [Int] {
      var sampler = try ShardSampler(members: members, sliceSize: 37, seed: seed, shard: shard)
      return (0..<37).map { sampler.utterance(step: 0, slot: $0) }
    }
    #expect(try draws(seed: 1, shard: 0) == draws(seed: 1, shard: 0))
    #expect(try draws(seed: 1, shard: 0) != draws(seed: 2, shard: 0))
    #expect(try draws(seed: 1, shard: 0) != draws(seed: 1, shard: 1))
  }

  @Test("refuses a shard without training utterances")
  func empty() {
    #expect {
      try ShardSampler(members: [], sliceSize: 4, seed: 1, shard: 6)
    } throws: { error in
      let failure = error as? Failure
      return failure?.kind == .usage && failure!.message.contains("shard 6 holds no training utterance")
    }
  }
}

@Suite("Crops")
struct CropTests {
  @Test("reach both ends, and every start equally often")
  func inclusive() {
    let draws = 40_000
    var counts: [Int: Int] = [:]
    for step in 0..<draws {
      let stream = Crop.training(seed: 87, step: step, shard: 1, sample: 3)
      counts[Crop.start(frames: 137, length: 128, stream), default: 0] += 1
    }
    #expect(counts.keys.sorted() == Array(0...9))
    // Ten starts: a binomial count of 4000 ± 60; five deviations either way.
    for count in counts.values { #expect(abs(count - draws / 10) < 300) }
  }

  @Test("of an utterance no longer than the segment start at its beginning")
  func short() {
    for frames in [1, 127, 128] {
      #expect(Crop.start(frames: frames, length: 128, Crop.validation(seed: 1, utterance: 9)) == 0)
    }
  }

  @Test("depend on each part of their key, and validation crops only on seed and utterance")
  func keys() {
    func start(_ stream: RandomStream) -> Int { Crop.start(frames: 1 << 20, length: 1, stream) }
    let starts = [
      start(Crop.training(seed: 1, step: 0, shard: 0, sample: 0)),
      start(Crop.training(seed: 2, step: 0, shard: 0, sample: 0)),
      start(Crop.training(seed: 1, step: 1, shard: 0, sample: 0)),
      start(Crop.training(seed: 1, step: 0, shard: 1, sample: 0)),
      start(Crop.training(seed: 1, step: 0, shard: 0, sample: 1)),
      start(Crop.validation(seed: 1, utterance: 0)),
      start(Crop.validation(seed: 2, utterance: 0)),
      start(Crop.validation(seed: 1, utterance: 1)),
    ]
    #expect(Set(starts).count == starts.count)
    #expect(start(Crop.validation(seed: 1, utterance: 1)) == starts[7])
  }

  @Test("are copied into [length, 40] and padded with -20 behind the end")
  func padding() throws {
    let corpus = try TestCorpus([[5, 200], [128]])
    let opened = try Corpus.open(corpus.source)
    try opened.prepareEverything()
    let reader = SegmentReader(corpus: opened, length: 128)
    for utterance in 0..<3 {
      let stream = Crop.validation(seed: 5, utterance: utterance)
      var segment = [Float](repeating: .nan, count: 128 * 40)
      try segment.withUnsafeMutableBufferPointer {
        try reader.copySegment(of: utterance, stream, into: $0.baseAddress!)
      }
      let start = Crop.start(frames: corpus.frames[utterance], length: 128, stream)
      let end = min(corpus.frames[utterance], start + 128)
      let expected = TestCorpus.values(utterance, start..<end)
      #expect(segment == expected + [Float](repeating: -20, count: 128 * 40 - expected.count))
    }
  }
}
