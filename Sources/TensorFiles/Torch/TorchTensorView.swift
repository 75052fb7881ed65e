/// A storage that a pickle refers to: the payload of the zip member `data/KEY`.
struct TorchStorage {
  let elementType: ElementType
  let key: String
  let elementCount: Int
}

/// A tensor as PyTorch has it: a strided view of a storage, all in elements.
///
/// A checked view: every element lies in the storage, and it has no more elements than the storage, so a small
/// file cannot ask for much memory.
struct TorchTensorView {
  /// Index in `PickleArena.storages`.
  let storage: Int
  let offset: Int
  let shape: [Int]
  let stride: [Int]
  let elementCount: Int
  /// Elements of the storage from the first to the last one that the view has.
  let span: Int

  /// Why a view does not fit its storage.
  struct Misfit: Error {
    let problem: String
  }

  static let maximumRank = 64

  /// - Parameter index: of `storage` in the arena.
  init(
    of storage: TorchStorage, at index: Int, offset: Int, shape: [Int], stride: [Int]
  ) throws(Misfit) {
    guard shape.count == stride.count else {
      throw Misfit(problem: "a tensor with \(shape.count) dimensions and \(stride.count) strides")
    }
    guard offset >= 0, offset <= storage.elementCount, stride.allSatisfy({ $0 >= 0 }),
      let byteCount = storage.elementType.byteCount(ofShape: shape)
    else {
      throw Misfit(problem: "a tensor of shape \(shape.brief), stride \(stride.brief), offset \(offset)")
    }
    elementCount = byteCount / storage.elementType.byteCount
    var end = offset
    if elementCount > 0 {
      guard let last = Self.lastElement(offset, shape, stride), last < storage.elementCount else {
        throw Misfit(
          problem:
            "a tensor of shape \(shape.brief), stride \(stride.brief), offset \(offset) does not fit its storage of \(storage.elementCount) elements"
        )
      }
      end = last + 1
      guard elementCount <= storage.elementCount else {
        throw Misfit(
          problem:
            "a tensor of shape \(shape.brief) repeats the \(storage.elementCount) elements of its storage; save a contiguous() copy"
        )
      }
    }
    self.storage = index
    self.offset = offset
    span = end - offset
    self.shape = shape
    // A dimension of one element has no next one, so its stride may be any number.
    self.stride = zip(shape, stride).map { $0 == 1 ? 0 : $1 }
  }

  /// The largest position in the storage that a view with elements touches, or nil beyond 64 bits.
  private static func lastElement(_ offset: Int, _ shape: [Int], _ stride: [Int]) -> Int? {
    var last = offset
    for (dimension, step) in zip(shape, stride) {
      let (span, spanOverflowed) = (dimension - 1).multipliedReportingOverflow(by: step)
      let (sum, sumOverflowed) = last.addingReportingOverflow(span)
      guard !spanOverflowed, !sumOverflowed else { return nil }
      last = sum
    }
    return last
  }

  /// Whether the elements lie one after another in C order.
  var isContiguous: Bool { TensorFiles.isContiguous(shape: shape, stride: stride) }

  /// The view's elements in C order, copied from the bytes of its span.
  func gather(from bytes: [UInt8], elementByteCount: Int) -> [UInt8] {
    var elements: [UInt8] = []
    elements.reserveCapacity(elementCount * elementByteCount)
    // An odometer over the dimensions, the last one fastest.
    var index = Array(repeating: 0, count: shape.count)
    var element = 0
    for _ in 0..<elementCount {
      elements += bytes[(element * elementByteCount)..<((element + 1) * elementByteCount)]
      for axis in shape.indices.reversed() {
        index[axis] += 1
        element += stride[axis]
        if index[axis] < shape[axis] { break }
        element -= index[axis] * stride[axis]
        index[axis] = 0
      }
    }
    return elements
  }
}

/// Whether a strided view's elements lie one after another in C order.
func isContiguous(shape: [Int], stride: [Int]) -> Bool {
  if shape.contains(0) { return true }
  var expected = 1
  for (dimension, step) in zip(shape, stride).reversed() where dimension != 1 {
    if step != expected { return false }
    expected *= dimension
  }
  return true
}
