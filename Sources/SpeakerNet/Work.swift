/// The arithmetic of one slice of a training step, as the layers count it, each beside its formula.
public struct Work: Sendable, Equatable {
  /// One matrix product as the network calls it: c_MN from a and b, either of which may be transposed.
  public struct Product: Hashable, Sendable {
    /// Which operand is transposed.
    public enum Form: Hashable, Sendable, CaseIterable {
      /// `a_MK · b_KN`
      case plain
      /// `a_MK · bᵀ`, b_NK
      case secondTransposed
      /// `aᵀ · b_KN`, a_KM
      case firstTransposed
    }

    /// Which operand is transposed.
    public let form: Form
    /// M and N: rows and columns of the result.
    public let rows: Int, columns: Int
    /// K: what is summed over.
    public let depth: Int

    init(_ form: Form, _ M: Int, _ N: Int, depth K: Int) {
      self.form = form
      rows = M
      columns = N
      depth = K
    }

    /// Multiplications and additions.
    public var operations: Int { 2 * rows * columns * depth }
  }

  /// The matrix products of the forward and the backward pass, and how often each is computed.
  public private(set) var products: [Product: Int] = [:]
  /// Operations of the forward pass: its products and its depthwise convolutions.
  public private(set) var forwardOperations = 0

  /// Nothing to do.
  public init() {}

  /// Operations of the slice as they are usually counted: three times the forward pass's, for each product has two
  /// in the backward pass. (The first layer's input needs no gradient, which this way of counting overlooks.)
  public var operations: Int { 3 * forwardOperations }

  /// Operations of ``products``.
  public var productOperations: Int { products.reduce(0) { $0 + $1.key.operations * $1.value } }

  /// A product of the forward pass, computed `times` times.
  mutating func addForward(_ product: Product, times: Int = 1) {
    products[product, default: 0] += times
    forwardOperations += times * product.operations
  }

  /// A product of the backward pass, computed `times` times.
  mutating func addBackward(_ product: Product, times: Int = 1) {
    products[product, default: 0] += times
  }

  /// Operations of the forward pass that are no product's.
  mutating func addForward(operations: Int) { forwardOperations += operations }

  /// One part after another.
  public static func + (first: Work, second: Work) -> Work {
    var sum = first
    sum.products.merge(second.products, uniquingKeysWith: +)
    sum.forwardOperations += second.forwardOperations
    return sum
  }

  /// The same several times.
  public static func * (work: Work, times: Int) -> Work {
    var all = work
    all.products = work.products.mapValues { $0 * times }
    all.forwardOperations *= times
    return all
  }
}
