import TensorCore
import Testing

@Suite("Matrices and their products") struct ProductTests {
  static let shapes: [(M: Int, N: Int, K: Int)] = [
    (1, 1, 1), (7, 16, 33), (33, 7, 16), (80, 33, 7), (128, 80, 80), (5, 80, 1),
  ]

  func filled(_ arena: Arena, _ rows: Int, _ columns: Int, _ salt: Int) -> Matrix {
    let matrix = arena.matrix(rows, columns)
    let stream = RandomStream(seed: 3, purpose: .synthesis, step: salt)
    for index in 0..<matrix.count { matrix.base[index] = 2 * stream.uniform(at: index) - 1 }
    return matrix
  }

  @Test("all three, written and added to", arguments: shapes) func products(M: Int, N: Int, K: Int) {
    let arena = Arena()
    let a_MK = filled(arena, M, K, 1), b_KN = filled(arena, K, N, 2)
    let a_KM = arena.matrix(K, M), b_NK = arena.matrix(N, K)
    for m in 0..<M { for k in 0..<K { a_KM[k, m] = a_MK[m, k] } }
    for k in 0..<K { for n in 0..<N { b_NK[n, k] = b_KN[k, n] } }
    for accumulating in [false, true] {
      let results = (0..<3).map { _ in filled(arena, M, N, 3) }
      let before = filled(arena, M, N, 3)
      if !accumulating { for index in 0..<results[0].count { results[0].base[index] = .nan } }
      multiply(a_MK, b_KN, into: results[0], accumulating: accumulating)
      multiply(a_MK, transposed: b_NK, into: results[1], accumulating: accumulating)
      multiply(transposed: a_KM, b_KN, into: results[2], accumulating: accumulating)
      var error = 0.0
      for m in 0..<M {
        for n in 0..<N {
          let sum = (0..<K).reduce(accumulating ? Double(before[m, n]) : 0) {
            $0 + Double(a_MK[m, $1]) * Double(b_KN[$1, n])
          }
          for result in results { error = max(error, abs(Double(result[m, n]) - sum)) }
        }
      }
      #expect(error < 1e-5)
    }
  }

  @Test("windows: rows and columns of a larger matrix") func windows() {
    let arena = Arena()
    let whole = filled(arena, 10, 12, 1)
    let window = whole.rows(2..<8).columns(3..<7)
    #expect(window.rows == 6 && window.columns == 4 && window.stride == 12 && !window.isDense)
    #expect(window[1, 2] == whole[3, 5])
    let b = filled(arena, 4, 5, 2)
    let dense = arena.matrix(6, 4)
    for row in 0..<6 { for column in 0..<4 { dense[row, column] = window[row, column] } }
    let surroundings = filled(arena, 10, 12, 1)
    let c = arena.matrix(6, 5)
    multiply(dense, b, into: c)
    let into = whole.rows(2..<8).columns(5..<10)
    // A product into a window touches nothing around it.
    let other = filled(arena, 6, 4, 3)
    multiply(other, b, into: into)
    for row in 0..<10 {
      for column in 0..<12 where !((2..<8).contains(row) && (5..<10).contains(column)) {
        #expect(whole[row, column] == surroundings[row, column])
      }
    }
    let fresh = filled(arena, 10, 12, 1)
    let fromWindow = arena.matrix(6, 5)
    multiply(fresh.rows(2..<8).columns(3..<7), b, into: fromWindow)
    var error: Float = 0
    for index in 0..<c.count { error = max(error, abs(c.base[index] - fromWindow.base[index])) }
    #expect(error < 1e-6)
    #expect(c.reshaped(rows: 5, columns: 6)[0, 5] == c[1, 0])
  }

  @Test("the same product gives the same bits, wherever its memory lies") func repeatability() {
    let arena = Arena()
    for (M, N, K) in Self.shapes {
      let a = filled(arena, M, K, 1), b = filled(arena, K, N, 2)
      let first = arena.matrix(M, N)
      multiply(a, b, into: first)
      for shift in [1, 3, 16] {
        let moved = Matrix(arena.floats(M * K + 64) + shift, rows: M, columns: K)
        moved.copy(from: a)
        let again = arena.matrix(M, N)
        multiply(moved, b, into: again)
        #expect((0..<first.count).allSatisfy { first.base[$0] == again.base[$0] })
      }
    }
  }
}
