import Foundation
import TestSupport
import Testing

/// What every file of the project keeps to.
@Suite("The files") struct FileTests {
  /// Files of code, from the repository's folder: what Swift, C and shell write, without what was generated or fetched.
  private func code() throws -> [String] {
    try ["Sources", "Tests", "scripts", "cluster"].flatMap { folder in
      try FileManager.default.subpathsOfDirectory(atPath: "\(Program.repository)/\(folder)").map {
        "\(folder)/\($0)"
      }
    }.filter { name in
      let ending = (name as NSString).pathExtension
      return ["swift", "c", "h", "sh", "py"].contains(ending)
        || (ending.isEmpty && name.hasPrefix("scripts/") && isFile(name)) || name == "cluster/run"
    }
  }

  private func isFile(_ name: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: "\(Program.repository)/\(name)", isDirectory: &isFolder)
      && !isFolder.boolValue
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: "\(Program.repository)/\(name)", encoding: .utf8)
  }

  @Test("no file of code is longer than 300 lines") func length() throws {
    let files = try code()
    #expect(files.count > 100)
    for file in files {
      let lines = try text(file).count { $0 == "\n" }
      #expect(lines <= 300, "\(file)")
    }
  }

  @Test("every test has a display name") func displayNames() throws {
    for file in try code() where file.hasPrefix("Tests/") && file.hasSuffix(".swift") {
      let nameless = try text(file).matches(
        of: #/^ *@Test(?!\(\s*#?")[^{]*?func (\w+)/#.anchorsMatchLineEndings()
      )
      .map { String($0.1) }
      #expect(nameless == [], "\(file)")
    }
  }
}
