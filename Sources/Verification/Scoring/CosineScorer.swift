import Diagnostics

/// Cosines of embeddings, which are made unit vectors once.
public struct CosineScorer: Sendable {
  /// Values of a vector.
  public let width: Int
  /// [rows, width].
  private let unit: [Double]

  /// The rows of a set, without a mean, at length 1.
  ///
  /// - Parameters:
  ///   - rows: which rows, in order; they become 0, 1, …
  ///   - mean: what is taken off each row first, [width]; nil for nothing.
  /// - Throws: `badData` that names the key of a vector without a direction, and for a mean of another width.
  public init(_ set: EmbeddingSet, rows: [Int], mean: [Double]?, source: String) throws(Failure) {
    if let mean, mean.count != set.width {
      throw Failure(
        .badData, "\(source): embeddings have \(set.width) values, the mean to be taken off has \(mean.count)"
      )
    }
    width = set.width
    var unit = [Double](repeating: 0, count: rows.count * width)
    for (place, row) in rows.enumerated() {
      var squares = 0.0
      for column in 0..<width {
        let value = Double(set.values[row * width + column]) - (mean?[column] ?? 0)
        unit[place * width + column] = value
        squares += value * value
      }
      guard squares > 0 else {
        throw Failure(
          .badData,
          "\(source): the embedding of \(set.keys[row].quoted) is zero\(mean == nil ? "" : " without the mean"): it has"
            + " no direction to compare")
      }
      let length = squares.squareRoot()
      for column in 0..<width { unit[place * width + column] /= length }
    }
    self.unit = unit
  }

  /// Rows.
  public var count: Int { unit.count / width }

  /// The cosine of two rows, -1 ... 1.
  public func callAsFunction(_ a: Int, _ b: Int) -> Double { cosine(a, self, b) }

  /// The cosine of a row and one of another scorer.
  ///
  /// - Precondition: of the same width.
  public func cosine(_ row: Int, _ other: CosineScorer, _ otherRow: Int) -> Double {
    precondition(width == other.width, "vectors of one width")
    let sum = unit.withUnsafeBufferPointer { mine in
      other.unit.withUnsafeBufferPointer { theirs in
        Self.product(mine.baseAddress! + row * width, theirs.baseAddress! + otherRow * width, width)
      }
    }
    return min(1, max(-1, sum))
  }

  /// Eight sums side by side, whose order is fixed: the same bits on every machine.
  private static func product(_ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ count: Int) -> Double
  {
    var sums = SIMD8<Double>.zero
    var index = 0
    while index + 8 <= count {
      let x = UnsafeRawPointer(a + index).loadUnaligned(as: SIMD8<Double>.self)
      let y = UnsafeRawPointer(b + index).loadUnaligned(as: SIMD8<Double>.self)
      sums += x * y
      index += 8
    }
    var sum = sums.sum()
    while index < count {
      sum += a[index] * b[index]
      index += 1
    }
    return sum
  }
}

/// What the cosines with a cohort are like, of which AS-norm takes the largest.
public struct CohortStatistics: Equatable, Sendable {
  /// Mean of the largest.
  public let mean: Double
  /// Their standard deviation.
  public let deviation: Double

  /// How the deviation is taken.
  public enum Deviation: String, CaseIterable, Sendable {
    /// Divided by N, as WeSpeaker does.
    case biased
    /// Divided by N - 1, as SpeechBrain does.
    case unbiased
  }

  /// Figures that are known.
  public init(mean: Double, deviation: Double) {
    self.mean = mean
    self.deviation = deviation
  }

  /// Those of the largest cosines.
  ///
  /// - Parameters:
  ///   - cosines: with every vector of the cohort.
  ///   - top: how many of the largest; all of them if there are fewer.
  /// - Precondition: at least two cosines, and a top of at least two.
  public init(_ cosines: [Double], top: Int, _ deviation: Deviation = .biased) {
    precondition(cosines.count > 1 && top > 1, "a deviation is of two values at least")
    let largest = cosines.count <= top ? cosines.sorted(by: >) : Array(cosines.sorted(by: >)[..<top])
    let count = Double(largest.count)
    let mean = largest.reduce(0, +) / count
    let squares = largest.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    self.mean = mean
    self.deviation = (squares / (deviation == .biased ? count : count - 1)).squareRoot()
  }

  /// Those of a row and a cohort.
  public init(
    _ row: Int, of scorer: CosineScorer, cohort: CosineScorer, top: Int, _ deviation: Deviation = .biased
  ) {
    self.init((0..<cohort.count).map { scorer.cosine(row, cohort, $0) }, top: top, deviation)
  }

  /// AS-norm (Matějka et al., Interspeech 2017; WeSpeaker's `score_norm.py`): the mean of a score normalised by the
  /// cohorts of both sides.
  public static func normalized(_ score: Double, enrol: CohortStatistics, test: CohortStatistics) -> Double {
    ((score - enrol.mean) / enrol.deviation + (score - test.mean) / test.deviation) / 2
  }
}
