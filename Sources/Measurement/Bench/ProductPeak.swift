import Collectives
import SpeakerNet
import TensorCore

/// What the machine reaches on a recipe's products and nothing else: the speed that a step cannot exceed.
///
/// Every thread computes all products of one slice, those of a shape one after another, so that operands stay in
/// its cache; all threads of all ranks at once, as in a step.
final class ProductPeak {
  private let operations: Int
  private let team: ThreadTeam
  /// For each thread, each product's operands and how often a slice has it.
  private let products: [[(operands: Operands, count: Int)]]
  /// What holds the operands, one for each thread.
  private let arenas: [Arena]
  private var repetitions = 1

  /// - Parameters:
  ///   - work: whose products are measured.
  ///   - threads: of each rank.
  init(_ work: Work, threads: Int) {
    operations = work.productOperations
    team = ThreadTeam(workers: threads, seats: threads)
    arenas = (0..<threads).map { _ in Arena() }
    // One order on every rank and in every run.
    let shapes = work.products.sorted { $0.key.sortKey.lexicographicallyPrecedes($1.key.sortKey) }
    products = arenas.map { arena in shapes.map { (Operands($0.key, in: arena), $0.value) } }
  }

  /// Chooses how often a round repeats the slice, so that it takes about `seconds`. Collective.
  func warmUp<C: Communicator>(_ communicator: C, roundSeconds seconds: Double) throws {
    _ = try round(communicator)
    let pace = Double(operations) * Double(team.workers * communicator.size) / (try round(communicator) * 1e9)
    repetitions = max(1, Int(seconds / pace))
  }

  /// One round: GFLOP/s of all threads of all ranks together. Collective.
  func round<C: Communicator>(_ communicator: C) throws -> Double {
    let seconds = try communicator.seconds { team.run { multiplyAll(of: $0) } }
    return Double(operations) * Double(repetitions * team.workers * communicator.size) / seconds * 1e-9
  }

  private func multiplyAll(of worker: Int) {
    for (operands, count) in products[worker] {
      for _ in 0..<count * repetitions { operands.multiply() }
    }
  }
}

extension Work.Product {
  fileprivate var sortKey: [Int] { [Form.allCases.firstIndex(of: form)!, rows, columns, depth] }
}

/// Memory for one product, filled with ordinary numbers.
private struct Operands {
  let form: Work.Product.Form
  let a: Matrix, b: Matrix, c: Matrix

  init(_ shape: Work.Product, in arena: Arena) {
    form = shape.form
    let (M, N, K) = (shape.rows, shape.columns, shape.depth)
    a = form == .firstTransposed ? arena.matrix(K, M) : arena.matrix(M, K)
    b = form == .secondTransposed ? arena.matrix(N, K) : arena.matrix(K, N)
    c = arena.matrix(M, N)
    for matrix in [a, b] {
      for index in 0..<matrix.count { matrix.base[index] = Float(index % 7 - 3) * 0.25 }
    }
  }

  func multiply() {
    switch form {
    case .plain: TensorCore.multiply(a, b, into: c)
    case .secondTransposed: TensorCore.multiply(a, transposed: b, into: c)
    case .firstTransposed: TensorCore.multiply(transposed: a, b, into: c)
    }
  }
}
