import Diagnostics
import TensorCore

/// Which utterances a shard holds: consecutive pieces of one fixed pseudo-random order of the dataset.
///
/// The order depends on the number of utterances alone. Shard `v` of `V` is the positions
/// `floor(n·v / V) ..< floor(n·(v+1) / V)` of it, so when V divides N, a shard of V is exactly N / V
/// consecutive shards of N: a corpus packed into N files and the same corpus unpacked give the same shards.
struct ShardLayout: Sendable {
  /// Part of the packed format: another constant would be another format version.
  private static let seed: UInt64 = 0x5348_4152_4453_2E31  // "SHARDS.1"

  /// Dataset index by position.
  let order: [Int]

  init(count: Int) {
    let stream = RandomStream(seed: Self.seed, purpose: .order)
    order = .shuffled(count: count, stream)
  }

  /// The positions of piece `index` when `count` things are cut into `pieces` nearly equal runs.
  static func piece(_ index: Int, of pieces: Int, count: Int) -> Range<Int> {
    count * index / pieces..<count * (index + 1) / pieces
  }

  /// Dataset indices of shard `v`, in layout order.
  func members(ofShard v: Int, of shards: Int) -> ArraySlice<Int> {
    order[Self.piece(v, of: shards, count: order.count)]
  }

  /// Why `shards` cannot be the number of shards of a corpus packed into `files` files, or nil when it can.
  static func objection(toShards shards: Int, files: Int) -> Failure? {
    guard shards < 1 || files % shards != 0 else { return nil }
    let divisors = (1...files).filter { files % $0 == 0 }.map(String.init).joined(separator: ", ")
    return Failure(
      .usage,
      "train.shards is \(shards), but must divide the \(files) files of the packed corpus: "
        + "\(divisors) would work")
  }
}

extension [Int] {
  /// `0 ..< count` in the order of a Fisher-Yates shuffle by `stream`.
  static func shuffled(count: Int, _ stream: RandomStream) -> [Int] {
    var indices = Array(0..<count)
    indices.shuffle(stream)
    return indices
  }

  /// A Fisher-Yates shuffle in place; element `i` of `stream` decides what goes to position `i`.
  mutating func shuffle(_ stream: RandomStream) {
    for i in stride(from: count - 1, to: 0, by: -1) {
      swapAt(i, stream.integer(below: i + 1, at: i))
    }
  }
}
