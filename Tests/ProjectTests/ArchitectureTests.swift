import Foundation
import TestSupport
import Testing

/// What `docs/architecture.md` says of the targets is what `Package.swift` says, and what the files import.
@Suite("The architecture") struct ArchitectureTests {
  /// The lines of the block that begins with "```targets": a target, a colon, and what it needs.
  private func documented() throws -> [(name: String, needs: [String])] {
    let text = try String(contentsOfFile: "\(Program.repository)/docs/architecture.md", encoding: .utf8)
    let start = try #require(
      text.firstRange(of: "\n```targets\n"), "docs/architecture.md has no ```targets block")
    let end = try #require(text[start.upperBound...].firstRange(of: "\n```"))
    return try text[start.upperBound..<end.lowerBound].split(separator: "\n").map { line in
      let colon = try #require(line.firstIndex(of: ":"), "expected 'target: what it needs', found '\(line)'")
      let needs = line[line.index(after: colon)...].split { $0 == "," || $0 == " " }
      return (String(line[..<colon]), needs.map(String.init))
    }
  }

  @Test("docs/architecture.md names every target, and what it needs, as Package.swift does")
  func documentIsManifest() throws {
    let documented = try documented()
    let targets = try Manifest().targets.filter { $0.kind != .testTarget && $0.kind != .systemLibrary }
    #expect(documented.map(\.name).sorted() == targets.map(\.name).sorted())
    for target in targets {
      let entry = documented.first { $0.name == target.name }
      #expect(entry?.needs.sorted() == target.needs.sorted(), "\(target.name)")
    }
  }

  @Test("docs/architecture.md names a target after those that it needs")
  func documentIsInOrder() throws {
    var named: Set<String> = []
    let all = Set(try documented().map(\.name))
    for (name, needs) in try documented() {
      let later = needs.filter { all.contains($0) && !named.contains($0) }
      #expect(later == [], "\(name) needs what is named below it")
      named.insert(name)
    }
  }

  @Test("a target needs what its files import, and nothing else")
  func manifestIsImports() throws {
    let targets = try Manifest().targets
    // Modules of the package, and of packages: all that a dependency can be.
    let modules = Set(targets.map(\.name) + targets.flatMap(\.needs))
    for target in targets where target.kind != .systemLibrary {
      var imports: Set<String> = []
      for file in try sources(below: target.folder) {
        let text = try String(contentsOfFile: file, encoding: .utf8)
        for match in text.matches(of: #/^(?:@?[a-z]+ )?import ([A-Za-z_0-9]+)/#.anchorsMatchLineEndings()) {
          imports.insert(String(match.1))
        }
      }
      let missing = imports.intersection(modules).subtracting(target.needs).subtracting([target.name])
      #expect(missing == [], "\(target.name) imports what it does not say it needs")
      // A program is needed to be run, and C files include headers.
      let programs = targets.filter { $0.kind == .executableTarget }.map(\.name)
      guard !imports.isEmpty else { continue }
      let idle = target.needs.subtracting(imports).subtracting(programs)
      #expect(idle == [], "\(target.name) says that it needs what it does not import")
    }
  }

  @Test("the reader of Package.swift reads every way to write a target")
  func reader() throws {
    let text = """
      let package = Package(
        products: [.executable(name: "p", targets: ["a"])],
        targets: [
          // .target(name: "gone"),
          .systemLibrary(name: "S", pkgConfig: "s", providers: [.apt(["libs-dev"])]),
          .target(name: "A"),
          .target(
            name: "B", dependencies: ["A", .product(name: "P", package: "swift-p"), .target(name: "S")],
            path: "Else/B"),
          .testTarget(name: "T", dependencies: ["B"], resources: [.copy("Fixtures")]),
        ]
      )
      """
    #expect(
      try Manifest(text: text).targets.map { "\($0.kind) \($0.name) \($0.needs.sorted()) \($0.folder)" } == [
        #"systemLibrary S [] Sources/S"#, #"target A [] Sources/A"#, #"target B ["A", "P", "S"] Else/B"#,
        #"testTarget T ["B"] Tests/T"#,
      ])
  }

  /// The Swift files below a folder of the repository.
  private func sources(below folder: String) throws -> [String] {
    let path = "\(Program.repository)/\(folder)"
    return try FileManager.default.subpathsOfDirectory(atPath: path).filter { $0.hasSuffix(".swift") }
      .map { "\(path)/\($0)" }
  }
}
