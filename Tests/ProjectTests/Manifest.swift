import Foundation
import TestSupport
import Testing

/// The targets of `Package.swift`, read from its text: what they are, and which other targets and products each needs.
struct Manifest {
  struct Target: Equatable {
    enum Kind: String { case target, executableTarget, systemLibrary, testTarget }

    let kind: Kind
    let name: String
    let needs: Set<String>
    /// The folder of its files, from the repository's.
    let folder: String
  }

  let targets: [Target]

  init() throws {
    try self.init(text: String(contentsOfFile: "\(Program.repository)/Package.swift", encoding: .utf8))
  }

  init(text: String) throws {
    let lines = text.split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }
    let code = lines.joined(separator: "\n")
    let list = try #require(code.firstRange(of: "\n  targets: "), "Package.swift has no list of targets")
    var rest = code[list.upperBound...]
    var targets: [Target] = []
    while let match = rest.firstMatch(of: #/\.(target|executableTarget|systemLibrary|testTarget)\(/#) {
      let body = try Self.enclosed(rest[match.range.upperBound...], "(", ")")
      targets.append(try Self.target(#require(Target.Kind(rawValue: String(match.1))), body))
      rest = rest[body.endIndex...]
    }
    self.targets = targets
    try #require(!targets.isEmpty, "Package.swift has no targets")
  }

  private static func target(_ kind: Target.Kind, _ body: Substring) throws -> Target {
    let name = try #require(string("name", in: body), "a target without a name: \(body.prefix(60))")
    var needs: Set<String> = []
    if let start = body.firstRange(of: "dependencies: [") {
      let names = try enclosed(body[start.upperBound...], "[", "]")
        // Of a product the name of its package says nothing.
        .replacing(#/, package: "[^"]*"/#, with: "")
      needs = Set(names.matches(of: #/"([^"]*)"/#).map { String($0.1) })
    }
    let folder = string("path", in: body) ?? (kind == .testTarget ? "Tests/" : "Sources/") + name
    return Target(kind: kind, name: name, needs: needs, folder: folder)
  }

  private static func string(_ label: String, in body: Substring) -> String? {
    guard let start = body.firstRange(of: "\(label): \"") else { return nil }
    return String(body[start.upperBound...].prefix { $0 != "\"" })
  }

  /// The text up to the bracket that closes one that has been opened just before it.
  private static func enclosed(
    _ text: Substring, _ open: Character, _ close: Character
  ) throws -> Substring {
    var depth = 1
    for index in text.indices {
      if text[index] == open { depth += 1 }
      if text[index] == close { depth -= 1 }
      if depth == 0 { return text[..<index] }
    }
    throw Unclosed(text: String(text.prefix(60)))
  }

  private struct Unclosed: Error { let text: String }
}
