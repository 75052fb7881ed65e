import Diagnostics
import Foundation
import TensorFiles
import Testing

/// The path of a committed file.
func fixture(_ name: String) -> String {
  Bundle.module.resourcePath! + "/Fixtures/" + name
}

/// The names of the committed files that end so, without the ending.
func fixtures(endingIn suffix: String) -> [String] {
  let names = try! FileManager.default.contentsOfDirectory(atPath: Bundle.module.resourcePath! + "/Fixtures")
  return names.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }.sorted()
}

func bytes(ofFile path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

/// A folder that goes away with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.path + "/tensor-files-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ bytes: [UInt8], _ name: String = "file") throws -> String {
    try Data(bytes).write(to: URL(filePath: file(name)))
    return file(name)
  }

  var contents: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

/// Expects a failure of one kind whose one line says `words`.
func expectFailure<Value>(
  _ kind: Failure.Kind = .badData, saying words: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Value
) {
  do {
    let value = try body()
    Issue.record("no failure but \(value)", sourceLocation: sourceLocation)
  } catch let failure as Failure {
    #expect(failure.kind == kind, sourceLocation: sourceLocation)
    #expect(failure.message.contains(words), "\(failure.message)", sourceLocation: sourceLocation)
    #expect(!failure.message.contains("\n"), sourceLocation: sourceLocation)
  } catch {
    Issue.record("an error that is no Failure: \(error)", sourceLocation: sourceLocation)
  }
}

/// Steele, Lea and Flood's SplitMix64: the same mutations in every run.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}

extension [UInt8] {
  /// One to four random changes: bits, bytes, extreme integers, removals, repeats.
  func mutated(using random: inout SplitMix64) -> [UInt8] {
    var bytes = self
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let position = bytes.indices.randomElement(using: &random)!
      let end = Swift.min(bytes.count, position + Int.random(in: 1...8, using: &random))
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      case 1: bytes[position] = UInt8.random(in: 0...255, using: &random)
      case 2: for index in position..<end { bytes[index] = 0xFF }
      case 3: for index in position..<end { bytes[index] = 0 }
      case 4: bytes.removeSubrange(position..<end)
      default: bytes.insert(contentsOf: bytes[position..<end], at: position)
      }
    }
    return bytes
  }
}
