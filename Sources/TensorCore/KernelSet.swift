import CKernels
import COpenBLAS
import Glibc

/// The machine code that computes: OpenBLAS's kernels and ours. Equal sets give equal bits.
public enum KernelSet {
  /// For example "OpenBLAS 0.3.21 SkylakeX, vectors avx512".
  public static var name: String {
    "OpenBLAS \(version) \(coreName), vectors \(String(cString: kernel_instruction_set()))"
  }

  /// The processor family whose kernels OpenBLAS uses.
  public static var coreName: String { String(cString: openblas_get_corename()) }

  /// Holds OpenBLAS at one thread: our own pool runs slices side by side, and OpenBLAS's workers would spin on
  /// the cores that it needs. To be called once, before the first product.
  public static func start() { openblas_set_num_threads(1) }

  /// Lets the calling thread, and those that it starts from then on, take numbers below 1.2e-38 as zero.
  ///
  /// A sharp softmax is full of them, and products with them are twenty times slower on many processors. The program
  /// does it first of all, for all of its threads.
  public static func flushDenormals() { _ = kernel_flush_denormals() }

  /// The same on the calling thread while `body` runs: for what computes on a thread of its caller's, so that bits do
  /// not depend on who computes.
  @inline(__always)
  public static func flushingDenormals<Result, Problem>(
    _ body: () throws(Problem) -> Result
  ) throws(Problem) -> Result {
    let mode = kernel_flush_denormals()
    defer { kernel_restore_denormals(mode) }
    return try body()
  }

  /// Kernels that the environment forced, and how they compare with the processor's own.
  public struct ForcedKernels: Sendable {
    /// What OPENBLAS_CORETYPE led to.
    public let forced: String
    /// What OpenBLAS chooses by itself on this processor.
    public let own: String
    /// Speed of the processor's own kernels over that of the forced ones.
    public let factor: Double
  }

  /// When OPENBLAS_CORETYPE is set: a short measurement of what it costs a large product. `nil` when it is not set, or when this
  /// OpenBLAS holds one kernel set only. Leaves the forced kernels in use. Not to be called beside products.
  public static func measureForcedKernels() -> ForcedKernels? {
    guard let forcedName = getenv("OPENBLAS_CORETYPE").map({ String(cString: $0) }),
      let quit = symbol("gotoblas_dynamic_quit"), let initialize = symbol("gotoblas_dynamic_init")
    else { return nil }
    let level2 = getenv("OPENBLAS_L2_SIZE").map { String(cString: $0) }
    let forced = coreName
    let forcedSpeed = productsPerSecond()
    unsetenv("OPENBLAS_CORETYPE")
    unsetenv("OPENBLAS_L2_SIZE")
    quit()
    initialize()
    let own = coreName
    let ownSpeed = productsPerSecond()
    setenv("OPENBLAS_CORETYPE", forcedName, 1)
    if let level2 { setenv("OPENBLAS_L2_SIZE", level2, 1) }
    quit()
    initialize()
    return ForcedKernels(forced: forced, own: own, factor: ownSpeed / forcedSpeed)
  }

  /// Large products a second, OpenBLAS's part of a step: the best of a few short rounds.
  private static func productsPerSecond() -> Double {
    let arena = Arena()
    let a = arena.matrix(512, 512)
    let b = arena.matrix(512, 512)
    let c = arena.matrix(512, 512)
    a.clear()
    b.clear()
    var best = 0.0
    for _ in 0..<8 {
      let start = monotonicNanoseconds()
      multiply(a, b, into: c)
      best = max(best, 1e9 / Double(monotonicNanoseconds() - start))
    }
    return best
  }

  private static var version: String {
    let words = String(cString: openblas_get_config()).split(separator: " ")
    return words.count > 1 ? String(words[1]) : "unknown"
  }

  private static func symbol(_ name: String) -> (@convention(c) () -> Void)? {
    guard let address = dlsym(nil, name) else { return nil }
    return unsafeBitCast(address, to: (@convention(c) () -> Void).self)
  }
}

/// Nanoseconds on a clock that never goes back.
public func monotonicNanoseconds() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
