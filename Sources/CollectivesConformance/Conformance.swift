import Collectives
import Diagnostics

/// What every `Communicator` must do, as named checks: run by the tests over one process and over threads, and by
/// `collectives-check` over MPI.
public struct Conformance<C: Communicator>: Sendable {
  /// One promise of `Communicator`, or of what is built on it.
  public struct Check: Sendable {
    /// What is checked, for the log.
    public let name: String
    /// Makes collective calls; throws a `Failure` where the result is wrong.
    public let run: @Sendable (C) throws -> Void
  }

  /// All checks, simple ones first.
  public let checks: [Check]

  /// The whole suite.
  public init() {
    checks = Self.blockingChecks + Self.exchangeChecks + Self.reductionChecks + Self.agreementChecks
  }

  /// Runs all checks; every rank of the group calls it.
  ///
  /// - Parameter passed: called on every rank with the name of each check that passed on all.
  /// - Throws: on the rank where a check failed, a `Failure` naming the check. The other ranks may be waiting in it:
  ///   the caller ends the group.
  public func run(on communicator: C, passed: (String) -> Void = { _ in }) throws {
    for check in checks {
      do {
        try check.run(communicator)
        try communicator.barrier()
      } catch let failure as Failure {
        throw Failure(failure.kind, "\(check.name): \(failure.message)")
      }
      passed(check.name)
    }
  }
}

/// Throws with this message, and where, unless `condition` holds.
func expect(
  _ condition: Bool, _ message: @autoclosure () -> String, line: Int = #line, file: String = #fileID
) throws(Failure) {
  if !condition { throw Failure(.internalError, "\(message()) (\(file):\(line))") }
}

/// Throws, naming the first element that differs in any bit.
func expectSameBits(
  _ found: some Collection<Float>, _ wanted: some Collection<Float>, _ what: @autoclosure () -> String,
  line: Int = #line, file: String = #fileID
) throws(Failure) {
  if let difference = firstDifference(found, wanted) {
    throw Failure(.internalError, "\(what()): \(difference) (\(file):\(line))")
  }
}

/// The first element that differs in any bit, in words; nil when all are the same.
public func firstDifference(_ found: some Collection<Float>, _ wanted: some Collection<Float>) -> String? {
  if found.count != wanted.count { return "\(found.count) elements, not \(wanted.count)" }
  for (index, (found, wanted)) in zip(found, wanted).enumerated() where found.bitPattern != wanted.bitPattern
  {
    return "element \(index) is \(found), not \(wanted)"
  }
  return nil
}

/// Values that any rank can make for any other: a hash of what they stand for, no state.
public enum TestValues {
  /// 64 well mixed bits of two numbers (the finalizer of SplitMix64; Steele, Lea and Flood, 2014).
  public static func bits(_ a: Int, _ b: Int) -> UInt64 {
    var z = UInt64(truncatingIfNeeded: a) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(truncatingIfNeeded: b)
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z &+= 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A float of either sign between 2⁻⁸ and 2⁸, so that another order of adding gives other bits.
  public static func float(_ a: Int, _ b: Int) -> Float {
    let bits = bits(a, b)
    let magnitude = Float(sign: .plus, exponent: Int(bits % 16) - 8, significand: 1)
    let fraction = 1 + Float(bits >> 40) * 0x1p-24
    return bits & 0x100 == 0 ? magnitude * fraction : -magnitude * fraction
  }

  /// The gradient of a shard, made up: `count` floats.
  public static func shard(_ shard: Int, count: Int, salt: Int = 0) -> [Float] {
    (0..<count).map { float(shard &* 1_000_003 &+ salt, $0) }
  }

  /// The sum of `shard(lo) … shard(hi − 1)` straight from the tree's definition, on one process.
  public static func treeSum(_ lo: Int, _ hi: Int, count: Int, salt: Int = 0) -> [Float] {
    if hi - lo == 1 { return shard(lo, count: count, salt: salt) }
    var step = 1
    while step * 2 < hi - lo { step *= 2 }
    let left = treeSum(lo, lo + step, count: count, salt: salt)
    let right = treeSum(lo + step, hi, count: count, salt: salt)
    return zip(left, right).map { $0 + $1 }
  }
}
