import CKernels
import Glibc
import TensorCore
import Testing

/// The product of one instruction set.
private struct ProductKernel: CustomTestStringConvertible {
  typealias Function =
    @convention(c) (
      Int32, Int32, Int, Int, Int, UnsafePointer<Float>?, Int, UnsafePointer<Float>?, Int, Int32,
      UnsafeMutablePointer<Float>?, Int
    ) -> Void

  let name: String
  let run: Function
  /// Whether it multiplies and adds with one rounding.
  let fuses: Bool
  var testDescription: String { name }

  /// Those that this processor has, and the one that it is given.
  static var all: [ProductKernel] {
    var kernels = [ProductKernel(name: "baseline", run: kernel_product_baseline, fuses: false)]
    #if arch(x86_64)
      let widest = String(cString: kernel_instruction_set())
      if widest != "baseline" {
        kernels.append(ProductKernel(name: "avx2", run: kernel_product_avx2, fuses: true))
      }
      if widest == "avx512" {
        kernels.append(ProductKernel(name: "avx512", run: kernel_product_avx512, fuses: true))
      }
      kernels.append(ProductKernel(name: "chosen", run: kernel_product, fuses: widest != "baseline"))
    #endif
    return kernels
  }
}

/// Random floats whose last is the last of mapped memory: who reads or writes beyond it is killed.
private struct GuardedFloats: ~Copyable {
  let start: UnsafeMutablePointer<Float>
  private let region: UnsafeMutableRawPointer, bytes: Int

  init(random count: Int, _ salt: Int) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let used = (count * 4 + page - 1) / page * page
    bytes = used + page
    region = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    mprotect(region + used, page, PROT_NONE)
    start = (region + used - count * 4).assumingMemoryBound(to: Float.self)
    let stream = RandomStream(seed: 9, purpose: .synthesis, step: salt)
    for index in 0..<count { start[index] = 2 * stream.uniform(at: index) - 1 }
  }

  deinit { munmap(region, bytes) }
}

@Suite("Kernels: products") struct ProductKernelTests {
  /// Tails of every kind, one more and one less than a tile, a panel and a run of k, and nothing at all.
  private static let shapes: [(M: Int, N: Int, K: Int)] = [
    (1, 1, 1), (1, 17, 3), (2, 15, 8), (3, 16, 9), (5, 40, 128), (9, 48, 127), (10, 49, 129), (14, 33, 255),
    (15, 80, 257), (29, 7, 300), (128, 96, 16), (4, 200, 40), (0, 5, 3), (5, 0, 3), (5, 3, 0),
  ]

  @Test("one chain of multiply-adds an element, nothing beside it touched", arguments: ProductKernel.all)
  private func chain(kernel: ProductKernel) {
    for (M, N, K) in Self.shapes {
      for form in 0..<8 {
        let (aTransposed, bTransposed, accumulating) = (form & 1, form >> 1 & 1, form >> 2)
        // A window's rows have neighbours: the last row ends where its memory ends.
        let gap = form % 3
        let (aRows, aColumns) = aTransposed == 1 ? (K, M) : (M, K)
        let (bRows, bColumns) = bTransposed == 1 ? (N, K) : (K, N)
        let (lda, ldb, ldc) = (aColumns + gap, bColumns + gap, N + gap)
        let a = GuardedFloats(random: max(0, aRows * lda - gap), 1),
          b = GuardedFloats(random: max(0, bRows * ldb - gap), 2)
        let c = GuardedFloats(random: max(0, M * ldc - gap), 3),
          before = GuardedFloats(random: max(0, M * ldc - gap), 3)
        kernel.run(
          Int32(aTransposed), Int32(bTransposed), M, N, K, a.start, lda, b.start, ldb, Int32(accumulating),
          c.start,
          ldc)
        var wrong = 0
        for row in 0..<M {
          for column in 0..<min(ldc, M * ldc - gap - row * ldc) {
            let old = before.start[row * ldc + column], new = c.start[row * ldc + column]
            guard column < N else {
              if new != old { wrong += 1 }
              continue
            }
            var sum: Float = accumulating == 1 ? old : 0
            for k in 0..<K {
              let x = a.start[aTransposed == 1 ? k * lda + row : row * lda + k]
              let y = b.start[bTransposed == 1 ? column * ldb + k : k * ldb + column]
              sum = kernel.fuses ? sum.addingProduct(x, y) : sum + x * y
            }
            if new != sum { wrong += 1 }
          }
        }
        #expect(wrong == 0, "\(M) × \(N) × \(K), form \(form)")
      }
    }
  }
}
