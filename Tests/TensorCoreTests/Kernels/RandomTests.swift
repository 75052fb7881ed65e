import CKernels
import TensorCore
import Testing

@Suite("Random numbers") struct RandomTests {
  /// The vectors of Random123's kat_vectors for philox4x32 with ten rounds.
  @Test("Philox4x32-10 knows the answers") func knownAnswers() {
    let answers: [(counter: SIMD4<UInt32>, key: SIMD2<UInt32>, result: SIMD4<UInt32>)] = [
      ([0, 0, 0, 0], [0, 0], [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]),
      (
        SIMD4(repeating: .max), SIMD2(repeating: .max), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]
      ),
      (
        [0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344], [0xA409_3822, 0x299F_31D0],
        [0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1]
      ),
    ]
    for (counter, key, result) in answers {
      // A stream whose key and counter come out as wanted: the purpose is mixed into the upper half of the key.
      let mixed = RandomPurpose.dropout.rawValue &* 0x9E37_79B9
      let stream = RandomStream(
        seed: UInt64(key[1] ^ mixed) << 32 | UInt64(key[0]), purpose: .dropout, step: Int(counter[3]),
        shard: Int(counter[2]), sample: Int(counter[1]))
      #expect(stream.key == key)
      #expect(stream.block(counter[0]) == result)
      #expect((0..<4).allSatisfy { stream[4 * Int(counter[0]) + $0] == result[$0] })
    }
  }

  @Test("streams of different places share no numbers") func distinct() {
    var seen: Set<UInt32> = []
    var count = 0
    func add(_ stream: RandomStream) {
      for element in 0..<8 { seen.insert(stream[element]) }
      count += 8
    }
    for seed in [0, 1, 1 << 32] as [UInt64] {
      for purpose in [RandomPurpose.initialization, .order, .crop, .validationCrop, .dropout] {
        for step in 0..<3 {
          for shard in 0..<3 {
            for sample in 0..<3 {
              add(RandomStream(seed: seed, purpose: purpose, step: step, shard: shard, sample: sample))
            }
          }
        }
      }
    }
    // Of 3240 numbers of 32 bits, two are expected to be equal once in 800 draws of all.
    #expect(seen.count == count)
  }

  @Test("a site is word 1 of the counter") func sites() {
    let stream = RandomStream(seed: 3, purpose: .dropout, step: 4, shard: 5, sample: 6)
    #expect(stream.site(6).origin == stream.origin)
    #expect(stream.site(7)[0] != stream[0])
    #expect(stream.site(7).site(6)[0] == stream[0])
  }

  @Test("uniform numbers and integers lie in their ranges, evenly") func ranges() {
    let stream = RandomStream(seed: 1, purpose: .crop)
    var counts = [Int](repeating: 0, count: 7)
    var sum = 0.0
    for element in 0..<70_000 {
      let uniform = stream.uniform(at: element)
      #expect(uniform >= 0 && uniform < 1)
      sum += Double(uniform)
      counts[stream.integer(below: 7, at: element)] += 1
    }
    // Five standard deviations.
    #expect(abs(sum / 70_000 - 0.5) < 5 * 0.2887 / 264.6)
    #expect(counts.allSatisfy { abs($0 - 10_000) < 5 * 93 })
    #expect(stream.integer(below: 1, at: 0) == 0)
  }

  @Test("the mask kernel is RandomStream, element by element")
  func masks() {
    for count in [0, 1, 2, 7, 8, 9, 127, 128, 129, 1000, 4099] {
      for threshold in [0, 1, 6554, 32768, 65535, 65536] as [UInt32] {
        let stream = RandomStream(seed: 77, purpose: .dropout, step: 12, shard: 3).site(5)
        var keep = [UInt8](repeating: 9, count: count + 32)
        withUnsafeBytes(of: stream.key) { key in
          withUnsafeBytes(of: stream.origin) { origin in
            kernel_keep_mask(
              key.bindMemory(to: UInt32.self).baseAddress!, origin.bindMemory(to: UInt32.self).baseAddress!,
              threshold, count, &keep)
          }
        }
        let isRight = (0..<count).allSatisfy { index in
          // Two elements share a word: the lower half is the first's.
          let word = stream[index / 2]
          let half = index % 2 == 0 ? word & 0xFFFF : word >> 16
          return keep[index] == (half >= threshold ? 1 : 0)
        }
        #expect(isRight, "count \(count), threshold \(threshold)")
        #expect(keep[count...].allSatisfy { $0 == 9 })
      }
    }
  }

  @Test("a sample's mask is its own, whatever the others' sizes") func masksOfSamples() {
    let stream = RandomStream(seed: 77, purpose: .dropout, step: 12, shard: 3).site(5)
    func mask(_ sample: Int, _ count: Int) -> [UInt8] {
      var keep = [UInt8](repeating: 9, count: count)
      stream.keepMask(ofSample: sample, dropped: 0.5, &keep, count: count)
      return keep
    }
    // Of whole blocks, the samples' masks are those of one long run.
    let run = mask(0, 3 * 64)
    #expect((0..<3).allSatisfy { mask($0, 64) == Array(run[$0 * 64..<($0 + 1) * 64]) })
    // Of others, each begins a block.
    #expect(mask(1, 13) == Array(mask(0, 32)[16..<29]))
  }

  @Test("a mask drops as often as it should") func frequency() {
    var keep = [UInt8](repeating: 0, count: 100_000)
    for probability in [0.1, 0.5] {
      kernel_keep_mask([1, 2], [0, 0, 0, 0], UInt32((probability * 65536).rounded()), keep.count, &keep)
      let kept = keep.reduce(0) { $0 + Int($1) }
      #expect(abs(Double(kept) - 100_000 * (1 - probability)) < 5 * 158)
    }
  }
}
