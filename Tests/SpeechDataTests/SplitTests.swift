import SpeechData
import Testing

@Suite("The notebook's split")
struct SplitTests {
  @Test("is torch.randperm(56666) after manual_seed(87), cut at int(0.9 n)")
  func homework() {
    let split = TrainValidSplit(count: 56_666, seed: 87)
    #expect(split.training.count == 50_999)
    #expect(split.validation.count == 5_667)
    #expect(
      split.training.prefix(10) == [9684, 19204, 43213, 36610, 10927, 43161, 52096, 7158, 39686, 34402])
    #expect(split.validation.prefix(5) == [43097, 46091, 22324, 24456, 274])
  }

  @Test("has the sizes of the 2021 homework")
  func sizes2021() {
    let split = TrainValidSplit(count: 69_438, seed: 87)
    #expect(split.training.count == 62_494)
    #expect(split.validation.count == 6_944)
  }

  @Test("uses every index once, whatever the size", arguments: [0, 1, 2, 3, 10, 623, 624, 625, 1300])
  func partition(count: Int) {
    let split = TrainValidSplit(count: count, seed: 1)
    #expect((split.training + split.validation).sorted() == Array(0..<count))
    #expect(split.training.count == Int(0.9 * Double(count)))
  }

  @Test("takes the lower 32 bits of the seed, as PyTorch's CPU generator does")
  func wideSeed() {
    #expect(TrainValidSplit(count: 100, seed: 87) == TrainValidSplit(count: 100, seed: 87 + 1 << 32))
    #expect(TrainValidSplit(count: 100, seed: 87) != TrainValidSplit(count: 100, seed: 88))
  }
}
