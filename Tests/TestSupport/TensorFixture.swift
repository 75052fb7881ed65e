import Foundation
import Testing

/// The F32 tensors of a safetensors file among the fixtures.
///
/// Read by hand in a dozen lines, so that a defect of the project's own reader shows in that reader's tests
/// and not here.
package struct TensorFixture {
  private let header: [String: Any]
  private let payload: Data

  /// - Parameters:
  ///   - name: of the file, without its suffix.
  ///   - bundle: the resources of the test target that has it.
  package init(_ name: String, in bundle: Bundle) throws {
    let url = try #require(
      bundle.url(forResource: name, withExtension: "safetensors", subdirectory: "Fixtures"))
    let file = try Data(contentsOf: url)
    let length = file.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    header = try #require(
      JSONSerialization.jsonObject(with: file.dropFirst(8).prefix(length)) as? [String: Any])
    payload = Data(file.dropFirst(8 + length))
  }

  /// The values of one tensor, row-major.
  package func floats(_ name: String) throws -> [Float] {
    let entry = try #require(header[name] as? [String: Any], "no tensor \(name) in the fixture")
    try #require(entry["dtype"] as? String == "F32")
    let range = try #require(entry["data_offsets"] as? [Int])
    return payload[range[0]..<range[1]].withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }
}

/// The greatest absolute difference of two arrays of one length; infinite if the lengths differ.
package func maximumDifference(_ a: [Float], _ b: [Float]) -> Float {
  a.count == b.count ? zip(a, b).map { abs($0 - $1) }.max() ?? 0 : .infinity
}
