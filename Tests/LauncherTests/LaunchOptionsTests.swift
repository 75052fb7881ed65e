import Diagnostics
import Foundation
import Launcher
import Testing

/// What is asked for, and the mpirun that it becomes.
@Suite("What is launched") struct LaunchOptionsTests {
  @Test("the run directory and what it is told are found among the training's words") func words() throws {
    let plain = try TrainArguments(["train", "--data", "d", "--run", "r"])
    #expect(plain.run == "r" && !plain.resumes && plain.trains)
    #expect(plain.goingOn(with: "/x/r") == ["train", "--data", "d", "--run", "r", "--resume"])
    let equals = try TrainArguments(["train", "--run=r 1", "--resume"])
    #expect(equals.run == "r 1" && equals.resumes)
    #expect(equals.goingOn(with: nil) == equals.words)
    let unnamed = try TrainArguments(["train"])
    #expect(unnamed.run == nil)
    #expect(unnamed.goingOn(with: "/runs/1") == ["train", "--run", "/runs/1", "--resume"])
    #expect(unnamed.goingOn(with: nil) == ["train", "--resume"])
    #expect(
      try TrainArguments(["train", "--overwrite", "--run", "r"]).goingOn(with: nil)
        == ["train", "--run", "r", "--resume"])
    for word in ["--help", "--dry-run", "--help-config", "--version"] {
      #expect(try !TrainArguments(["train", word]).trains)
    }
  }

  @Test(
    "anything but a training is refused", arguments: [[], ["evaluate"], ["--run", "r"], [""], ["launch"]])
  func others(words: [String]) throws {
    let failure = try #require(throws: Failure.self) { try TrainArguments(words) }
    #expect(failure.kind == .usage)
  }

  @Test("numbers out of their range are refused by name") func numbers() throws {
    func failure(_ make: () throws -> LaunchOptions) throws -> Failure {
      try #require(throws: Failure.self) { _ = try make() }
    }
    let train = ["train"]
    #expect(try failure { try LaunchOptions(ranks: 0, arguments: train) }.message.hasPrefix("-n: "))
    #expect(
      try failure { try LaunchOptions(ranks: 1, maxRestarts: -1, arguments: train) }.message.hasPrefix(
        "--max-restarts: "))
    #expect(
      try failure { try LaunchOptions(ranks: 1, grace: 0, arguments: train) }.message.hasPrefix("--grace: "))
    #expect(
      try failure { try LaunchOptions(ranks: 1, continues: true, arguments: train) }.message.contains("--run")
    )
    #expect(
      try failure { try LaunchOptions(ranks: 1, hostfile: "", arguments: train) }.message.hasPrefix(
        "--hostfile"))
  }

  // MARK: The command

  func command(_ environment: [String: String] = [:], configured: String = "", interfaces: String? = nil)
    throws
    -> MPICommand
  {
    try MPICommand(
      environment: ["PATH": "/usr/bin:/bin", "MPIRUN": "/bin/sh", "PROGRAM": "/bin/sh"].merging(environment) {
        $1
      },
      configured: configured, interfaces: interfaces, isRoot: false)
  }

  @Test("the words of mpirun: ranks, hosts, variables that travel, the program, its arguments") func mpirun()
    throws
  {
    let command = try command(["OPENBLAS_CORETYPE": "Haswell"])
    let words = command.words(ranks: 4, hostfile: "/tmp/h", arguments: ["train", "--run", "a b"])
    #expect(words.prefix(5) == ["/bin/sh", "-n", "4", "--hostfile", "/tmp/h"])
    #expect(words.dropFirst(5).prefix(4) == ["-x", "OPENBLAS_CORETYPE", "-x", LaunchEvent.variable])
    #expect(words.suffix(3) == ["train", "--run", "a b"] && words.dropLast(3).last?.hasPrefix("/") == true)
    #expect(command.text(ranks: 1, hostfile: nil, arguments: ["it's"]).hasSuffix(" 'it'\\''s'"))
  }

  @Test("what the user has set stays: in the environment, or in a file of Open MPI's") func parameters()
    throws
  {
    func names(_ command: MPICommand) -> [String] { command.variables.map(\.name) }
    let key = "OMPI_MCA_oob_tcp_keepalive_time"
    #expect(try names(command()).contains(key))
    #expect(try !names(command([key: "7"])).contains(key))
    #expect(try names(command([key: ""])).contains(key))
    #expect(try !names(command(configured: "# mine\noob_tcp_keepalive_time = 9\n")).contains(key))
    #expect(try !names(command()).contains("OMPI_ALLOW_RUN_AS_ROOT"))
    let both = try command(interfaces: "eth0").variables.filter { $0.value == "eth0" }.map(\.name)
    #expect(both == ["OMPI_MCA_btl_tcp_if_include", "OMPI_MCA_oob_tcp_if_include"])
  }

  @Test("a program that is not there is said to be missing, and how to get it") func missing() throws {
    for (name, part) in [("MPIRUN", "openmpi-bin"), ("PROGRAM", "PROGRAM")] {
      for value in ["no-such-program", "/nowhere/mpirun", "/bin", "/etc/passwd"] {
        let failure = try #require(throws: Failure.self) { try command([name: value]) }
        #expect(failure.kind == .unavailable && failure.message.contains(part), "\(failure)")
      }
    }
  }

  // MARK: The run

  @Test("what this host sees of a run: whether it is there, and its last whole checkpoint") func observed()
    throws
  {
    let folder = NSTemporaryDirectory() + "launcher-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var run = ObservedRun(path: folder)
    #expect(!run.isThere && run.lastStep == nil && run.progress == "no checkpoint was saved yet")
    for name in ["step-00000020", "step-00000100", ".step-00000300.tmp-1", "step-junk", "step-00000200"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/checkpoints/\(name)", withIntermediateDirectories: true)
      guard name != "step-00000200" else { continue }
      try Data().write(to: URL(fileURLWithPath: "\(folder)/checkpoints/\(name)/state.json"))
    }
    #expect(!run.isThere && run.lastStep == 100)
    try Data().write(to: URL(fileURLWithPath: "\(folder)/config.yaml"))
    #expect(run.isThere && run.progress == "the last checkpoint is that of step 100")
    // What the training told is known without a look.
    run.begunStep = 150
    #expect(run.lastStep == 150)
    run = ObservedRun(path: nil)
    run.begunStep = 0
    #expect(run.isThere && run.lastStep == nil)
  }
}
