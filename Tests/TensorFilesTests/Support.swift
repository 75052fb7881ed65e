import Foundation

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
