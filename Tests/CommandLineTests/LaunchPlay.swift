import Foundation
import TestSupport

/// A launch whose mpirun is a script: what each start does is a piece of shell.
struct Play {
  let folder: TemporaryFolder
  var run: String { "\(folder.path)/run" }
  var variables: [String: String] {
    ["MPIRUN": "\(folder.path)/mpirun", "OMPI_MCA_plm_rsh_agent": "\(folder.path)/agent"]
  }

  init(_ acts: [String]) throws {
    folder = TemporaryFolder()
    let cases = acts.enumerated().map { "\($0.offset + 1)) \($0.element) ;;\n" }.joined()
    try script(
      "mpirun",
      """
      #!/bin/bash
      cd '\(folder.path)'
      start=$(($(cat count 2>/dev/null || echo 0) + 1))
      echo "$start" >count
      begin() {
        mkdir -p run && touch run/config.yaml
        printf '\\x1e{"event":"begun","run":"%s/run","step":%d}\\n' "$PWD" "$1" >&2
        touch has-begun
      }
      checkpoint() {
        mkdir -p "run/checkpoints/step-$(printf %08d "$1")"
        touch "run/checkpoints/step-$(printf %08d "$1")/state.json"
      }
      echo "$*" >>starts
      case $start in
      \(cases)esac
      """)
    // How other hosts are reached: those that are down are not, and on the others the command is run.
    try script(
      "agent",
      """
      #!/bin/bash
      grep -qx "$1" '\(folder.path)/down' 2>/dev/null && echo "no route to $1" >&2 && exit 255
      exec sh -c "$2"
      """)
  }

  /// The command lines of the starts so far.
  var starts: [String] { text("starts").split(separator: "\n").map(String.init) }

  func text(_ name: String) -> String {
    (try? String(contentsOfFile: "\(folder.path)/\(name)", encoding: .utf8)) ?? ""
  }

  func makeRun() throws {
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    try "".write(toFile: "\(run)/config.yaml", atomically: true, encoding: .utf8)
  }

  func hostfile(_ names: [String]) throws -> String {
    try folder.write(names.map { "\($0) slots=2\n" }.joined(), to: "hosts")
  }

  /// Launches it; each signal is sent when the training has begun, a moment after the one before.
  func launch(_ options: [String], training: [String]? = nil, signals: [Int32] = []) throws -> Program.Outcome
  {
    try Program.run(
      ["launch"] + options + ["--"] + (training ?? ["train", "--run", run]), in: folder.path,
      variables: variables
    ) { process in
      guard !signals.isEmpty else { return }
      while process.isRunning, text("has-begun").isEmpty,
        !FileManager.default.fileExists(atPath: "\(folder.path)/has-begun")
      {
        usleep(10_000)
      }
      for signal in signals {
        usleep(300_000)
        process.signal(signal)
      }
    }
  }

  private func script(_ name: String, _ text: String) throws {
    chmod(try folder.write(text + "\n", to: name), 0o755)
  }
}
