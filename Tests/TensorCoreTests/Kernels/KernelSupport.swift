import Glibc
import TensorCore
import Testing

/// Shapes at which vector code goes wrong: less than a vector, none left over, one left over, the recipes' own.
let kernelShapes: [(N: Int, D: Int)] = [1, 5, 128].flatMap { N in [1, 7, 16, 33, 80].map { (N, $0) } }

/// Floats for a kernel to work on, off the boundaries of vectors and between guards that nobody may write to.
final class Floats {
  private static let guardCount = 17
  private static let guardValue: Float = -12345.678
  let count: Int
  let start: UnsafeMutablePointer<Float>
  private let memory: UnsafeMutablePointer<Float>

  init(_ values: [Float]) {
    count = values.count
    memory = .allocate(capacity: count + 2 * Self.guardCount)
    memory.initialize(repeating: Self.guardValue, count: count + 2 * Self.guardCount)
    start = memory + Self.guardCount
    for (index, value) in values.enumerated() { start[index] = value }
  }

  /// Undefined content: what is not written shows.
  convenience init(count: Int) { self.init([Float](repeating: .nan, count: count)) }

  /// Uniform numbers of a range, always the same for the same `salt`.
  convenience init(random count: Int, _ salt: Int, in range: ClosedRange<Float> = -2...2) {
    let stream = RandomStream(seed: 9, purpose: .synthesis, step: salt)
    self.init(
      (0..<count).map { range.lowerBound + (range.upperBound - range.lowerBound) * stream.uniform(at: $0) })
  }

  deinit { memory.deallocate() }

  subscript(index: Int) -> Double { Double(start[index]) }
  var values: [Float] { Array(UnsafeBufferPointer(start: start, count: count)) }
  func copy() -> Floats { Floats(values) }

  /// Whether the memory around the floats is as it was.
  var isGuarded: Bool {
    (0..<Self.guardCount).allSatisfy {
      memory[$0] == Self.guardValue && start[count + $0] == Self.guardValue
    }
  }
}

/// Keep bytes of a dropout mask, three of four kept.
func keepMask(_ count: Int) -> [UInt8] {
  let stream = RandomStream(seed: 4, purpose: .dropout)
  return (0..<count).map { stream.uniform(at: $0) < 0.75 ? 1 : 0 }
}

/// Expects a kernel's result to be what a plain loop in double precision gives, to a few units of the largest.
func expect(
  _ result: Floats, _ name: String, tolerance: Double = 2e-6,
  sourceLocation: SourceLocation = #_sourceLocation,
  is expected: (Int) -> Double
) {
  #expect(result.isGuarded, "\(name) wrote beyond its end", sourceLocation: sourceLocation)
  var largest = 0.0, error = 0.0
  for index in 0..<result.count {
    let value = expected(index)
    largest = max(largest, abs(value))
    let difference = abs(result[index] - value)
    error = difference.isNaN ? .infinity : max(error, difference)
  }
  #expect(error <= tolerance * max(largest, 1e-3), "\(name)", sourceLocation: sourceLocation)
}

func exponential(_ x: Double) -> Double { exp(x) }
func logarithm(_ x: Double) -> Double { log(x) }
func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
