import Diagnostics
import TensorFiles

/// An array of floats as NumPy's `.npy` files hold it (NEP 1): a magic, the length of a header, the header as a Python
/// dictionary, the values.
package struct NumpyArray: Equatable {
  /// The dimensions, outermost first.
  package let shape: [Int]
  /// In C order.
  package let values: [Float]

  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// What NumPy itself reads at most, unless it is told otherwise.
  private static let longestHeader = 10_000

  package init(shape: [Int], values: [Float]) {
    precondition(shape.reduce(1, *) == values.count, "as many values as the shape says")
    self.shape = shape
    self.values = values
  }

  /// Reads a file of `<f4` or `<f8` values of up to two dimensions, in C or Fortran order.
  ///
  /// - Throws: `missingInput`, `inputOutput`, `badData` for what is no such file.
  package init(reading path: String) throws(Failure) {
    func broken(_ what: String) -> Failure { Failure(.badData, "\(path): is no array of NumPy's: \(what)") }
    let file = try InputFile(path: path)
    let prefix = try file.read(at: 0, count: min(12, file.byteCount))
    guard prefix.count >= 10, prefix.starts(with: Self.magic) else {
      throw broken("it does not begin with \\x93NUMPY")
    }
    guard (1...3).contains(prefix[6]) else { throw broken("its version is \(prefix[6]), known are 1 to 3") }
    let start = prefix[6] == 1 ? 10 : 12
    guard prefix.count >= start else { throw broken("it ends in its header") }
    let length = (8..<start).reduce(0) { $0 | Int(prefix[$1]) << (8 * ($1 - 8)) }
    guard length <= Self.longestHeader, start + length <= file.byteCount else {
      throw broken("its header has \(length) bytes")
    }
    let header = String(decoding: try file.read(at: start, count: length), as: UTF8.self)
    guard let (type, isFortran, shape) = Self.parse(header) else {
      throw broken("its header is \(header.quoted)")
    }
    guard let element = ["<f4": ElementType.float32, "<f8": .float64, "<f2": .float16][type] else {
      throw Failure(.badData, "\(path): holds \(type.quoted) values, expected floats (<f4, <f8 or <f2)")
    }
    guard (1...2).contains(shape.count) else {
      throw Failure(.badData, "\(path): has \(shape.count) dimensions, expected one or two")
    }
    guard let bytes = element.byteCount(ofShape: shape), bytes == file.byteCount - start - length else {
      throw broken("shape \(shape) does not fit its \(file.byteCount) bytes")
    }
    let tensor = Tensor(
      elementType: element, shape: shape, bytes: try file.read(at: start + length, count: bytes))
    let values = try tensor.float32Values(named: "array", in: path)
    var ordered = values
    if isFortran, shape.count == 2 {
      for row in 0..<shape[0] {
        for column in 0..<shape[1] { ordered[row * shape[1] + column] = values[column * shape[0] + row] }
      }
    }
    self.init(shape: shape, values: ordered)
  }

  /// What the dictionary of a header says.
  private static func parse(_ header: String) -> (type: String, isFortran: Bool, shape: [Int])? {
    guard let type = header.firstMatch(of: #/['"]descr['"]\s*:\s*['"]([^'"]*)['"]/#)?.1,
      let order = header.firstMatch(of: #/['"]fortran_order['"]\s*:\s*(True|False)/#)?.1,
      let list = header.firstMatch(of: #/['"]shape['"]\s*:\s*\(([0-9, ]*)\)/#)?.1
    else { return nil }
    let words = list.split { $0 == "," || $0 == " " }
    let shape = words.compactMap { Int($0) }
    guard shape.count == words.count else { return nil }
    return (String(type), order == "True", shape)
  }

  /// The bytes of a file, version 1, as `numpy.save` writes it.
  package var serialized: [UInt8] {
    let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(dimensions)), }"
    // The values begin at a multiple of 64 bytes.
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    let length = header.utf8.count
    let prefix = Self.magic + [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)]
    return prefix + Array(header.utf8) + Tensor(float32: values, shape: shape).bytes
  }
}
