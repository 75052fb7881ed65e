import Foundation
import TestSupport
import Testing

/// `speakerid-dist launch`, with an mpirun of the test's own.
@Suite("launch") struct LaunchTests {
  // MARK: Starting again

  @Test("a training that was killed goes on from its checkpoint") func restarts() throws {
    let play = try Play(["begin 0; checkpoint 20; exit 137", "begin 20; exit 0"])
    let outcome = try play.launch(["-n", "3"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let starts = play.starts
    #expect(starts.count == 2)
    #expect(
      starts.first?.hasSuffix("train --run \(play.run)") == true && starts.first?.hasPrefix("-n 3 ") == true)
    #expect(starts.last?.hasSuffix("train --run \(play.run) --resume") == true, "\(starts)")
    let said =
      "launch: the training failed (a process was ended by SIGKILL); the last checkpoint is that of step 20"
    #expect(outcome.errors.contains(said), "\(outcome.errors)")
    // What is for the launcher is not for people.
    #expect(!outcome.errors.contains("\u{1E}") && !outcome.errors.contains("begun"), "\(outcome.errors)")
  }

  @Test("without --run, the run that the training has made is gone on with") func unnamed() throws {
    let play = try Play(["exit 137", "begin 0; exit 76", "exit 0"])
    #expect(try play.launch(["-n", "2"], training: ["train"]).status == 0)
    #expect(play.starts.map { $0.contains("--resume") } == [false, false, true], "\(play.starts)")
    #expect(play.starts.last?.hasSuffix("train --run \(play.run) --resume") == true, "\(play.starts)")
  }

  @Test("what starting again cannot help is not", arguments: [0, 64, 65, 66, 75])
  func isOver(status: Int) throws {
    let play = try Play(["begin 0; exit \(status)"])
    let outcome = try play.launch(["-n", "1"])
    #expect(outcome.status == Int32(status), "\(outcome.errors)")
    #expect(play.starts.count == 1 && outcome.errors.isEmpty, "\(outcome.errors)")
  }

  @Test("what people are told is not what is decided by") func prose() throws {
    let saved = "echo 'error: stopped by SIGTERM after step 3; it is saved, go on with --resume' >&2"
    let play = try Play([
      "begin 0; \(saved); exit 76", "echo '[Info]: Finish creating model!'; exit 3", "exit 3", "exit 0",
    ])
    // The second and the third have not begun, and end alike.
    let outcome = try play.launch(["-n", "1"])
    #expect(outcome.status == 3 && play.starts.count == 3, "\(outcome.errors)")
    #expect(outcome.errors.contains("twice at the start with status 3"), "\(outcome.errors)")
  }

  @Test("a rank of a real mpirun is killed, and the training ends with the undisturbed bits") func real()
    throws
  {
    let undisturbed = try TrainingRun(steps: 300)
    #expect(try Program.run(undisturbed.arguments()).status == 0)
    let run = try TrainingRun(steps: 300)
    let outcome = try Program.run(["launch", "-n", "2", "--"] + run.arguments()) { process in
      while process.isRunning, run.checkpoints.isEmpty { usleep(10_000) }
      let rank = Processes.all.first {
        $0.command.contains(" \(run.path) ") && Processes.rank(of: $0.id) != nil
      }
      if let rank { kill(rank.id, SIGKILL) }
    }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("launch: restart 1 of 3 in 1 s"), "\(outcome.errors)")
    #expect(try run.result().differences(from: undisturbed.result()) == [])
  }

  @Test("no more restarts than allowed") func limit() throws {
    let play = try Play(["begin 0; exit 76", "begin 0; exit 137", "begin 0; exit 0"])
    let outcome = try play.launch(["-n", "1", "--max-restarts", "1"])
    #expect(outcome.status == 137 && play.starts.count == 2, "\(outcome.errors)")
    #expect(outcome.errors.contains("launch: given up after 1 restart"), "\(outcome.errors)")
  }

  @Test("a run that was there before is the program's to refuse, unless --continue means it") func found()
    throws
  {
    let stranger = try Play(["exit 137", "exit 64"])
    try stranger.makeRun()
    #expect(try stranger.launch(["-n", "1"]).status == 64)
    #expect(stranger.starts.map { $0.contains("--resume") } == [false, false])
    let mine = try Play(["exit 0"])
    try mine.makeRun()
    #expect(try mine.launch(["-n", "1", "--continue"]).status == 0)
    #expect(mine.starts.map { $0.contains("--resume") } == [true])
    let new = try Play(["exit 0"])
    #expect(try new.launch(["-n", "1", "--continue"]).status == 0)
    #expect(new.starts.map { $0.contains("--resume") } == [false])
  }

  @Test("a launch that only tells something is done once") func tells() throws {
    let play = try Play(["exit 137", "exit 0"])
    #expect(try play.launch(["-n", "1"], training: ["train", "--dry-run"]).status == 137)
    #expect(play.starts.count == 1)
  }

  // MARK: Signals

  /// A start that waits for signals: what it does about each is written by the test.
  static func wait(_ traps: String) -> String { "\(traps); begin 0; for i in $(seq 600); do sleep 0.1; done" }

  @Test(
    "a signal lets the ranks save, and the status is theirs", arguments: [SIGTERM, SIGINT, SIGUSR1, SIGHUP])
  func stop(number: Int32) throws {
    let play = try Play([Self.wait("trap 'checkpoint 7; exit 75' USR1; trap 'exit 1' TERM INT HUP")])
    let outcome = try play.launch(["-n", "1"], signals: [number])
    #expect(outcome.status == 75, "\(outcome.errors)")
    #expect(play.starts.count == 1 && !outcome.errors.contains("without saving"), "\(outcome.errors)")
  }

  @Test("ranks that do not save in the time of --grace are ended, and that is said") func grace() throws {
    let play = try Play([Self.wait("trap '' USR1; checkpoint 5; trap 'exit 1' TERM")])
    let outcome = try play.launch(["-n", "1", "--grace", "1"], signals: [SIGTERM])
    #expect(outcome.status == 75, "\(outcome.errors)")
    #expect(outcome.errors.contains("launch: not saved in time"), "\(outcome.errors)")
    let line =
      "ended by SIGTERM without saving; the last checkpoint is that of step 5: go on with --resume --run"
    #expect(outcome.errors.contains(line), "\(outcome.errors)")
  }

  @Test("a second signal does not wait for that time") func impatience() throws {
    let play = try Play([Self.wait("trap '' USR1; trap 'exit 1' TERM")])
    let outcome = try play.launch(["-n", "1", "--grace", "100000"], signals: [SIGINT, SIGINT])
    #expect(outcome.status == 75 && outcome.errors.contains("without saving"), "\(outcome.errors)")
  }

  @Test("what went wrong while saving is not made to look like a stop") func failedStop() throws {
    let play = try Play([Self.wait("trap 'exit 74' USR1")])
    #expect(try play.launch(["-n", "1"], signals: [SIGTERM]).status == 74)
    #expect(play.starts.count == 1)
  }

  @Test("a launcher that is killed has the ranks save") func killed() throws {
    let play = try Play([Self.wait("trap 'checkpoint 7; exit 75' USR1")])
    #expect(try play.launch(["-n", "1"], signals: [SIGKILL]).status == 128 + SIGKILL)
    let end = Date(timeIntervalSinceNow: 30)
    let saved = "\(play.run)/checkpoints/step-00000007/state.json"
    while !FileManager.default.fileExists(atPath: saved), Date() < end { usleep(20_000) }
    #expect(FileManager.default.fileExists(atPath: saved))
  }

  @Test("a launcher that waits to start again ends at once") func stopBetween() throws {
    let play = try Play(["begin 0; exit 137", "exit 137", "exit 137", "exit 0"])
    // After the third start it would wait for two seconds.
    let outcome = try play.launch(["-n", "1", "--max-restarts", "9"], signals: [SIGTERM])
    #expect(outcome.status == 75 && play.starts.count < 4, "\(outcome.errors)")
  }

  // MARK: Hosts

  @Test("a host that is lost is left out of the restart, with its ranks; and is taken again when it is back")
  func hosts() throws {
    let play = try Play([
      "begin 0; checkpoint 1; echo 198.51.100.3 >down; exit 205",
      "cat \"$4\" >hosts-2; begin 1; : >down; exit 205",
      "cat \"$4\" >hosts-3; exit 0",
    ])
    let outcome = try play.launch([
      "-n", "6", "--hostfile", play.hostfile(["198.51.100.1", "198.51.100.2", "198.51.100.3"]),
    ])
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(play.starts.map { $0.prefix(4) } == ["-n 6", "-n 4", "-n 6"], "\(play.starts)")
    #expect(play.text("hosts-2") == "198.51.100.1 slots=2\n198.51.100.2 slots=2\n")
    #expect(play.text("hosts-3") == "198.51.100.1 slots=2\n198.51.100.2 slots=2\n198.51.100.3 slots=2\n")
    #expect(
      outcome.errors.contains("launch: 198.51.100.3 is left out: no route to 198.51.100.3"),
      "\(outcome.errors)")
    #expect(
      outcome.errors.contains("launch: starting 4 processes on 198.51.100.1 198.51.100.2"),
      "\(outcome.errors)")
  }

  @Test("a host that does not answer at the first start is a wrong hostfile") func firstStart() throws {
    let play = try Play(["exit 0"])
    let file = try play.hostfile(["198.51.100.1", "198.51.100.2"])
    try "198.51.100.2\n".write(toFile: "\(play.folder.path)/down", atomically: true, encoding: .utf8)
    let outcome = try play.launch(["-n", "4", "--hostfile", file])
    #expect(outcome.status == 69 && play.starts.isEmpty, "\(outcome.errors)")
    #expect(
      outcome.errors.contains("198.51.100.2 is left out") && outcome.errors.contains("4 processes"),
      "\(outcome.errors)")
    // Fewer processes have room on the other.
    #expect(try play.launch(["-n", "2", "--hostfile", file]).status == 0)
  }

  // MARK: The command line

  @Test(
    "a command line that is wrong is one line and 64, before anything is started",
    arguments: [
      ["-n", "0", "--", "train"], ["-n", "2", "train", "--run", "x"], ["-n", "2"], ["-n", "2", "--"],
      ["-n", "2", "--", "evaluate", "--run", "x"], ["-n", "2", "--nothing", "--", "train"], ["--", "train"],
      ["-n", "x", "--", "train"], ["-n", "2", "--max-restarts", "x", "--", "train"],
      ["-n", "2", "--continue", "--", "train"],
    ])
  func usage(arguments: [String]) throws {
    let play = try Play(["exit 0"])
    let outcome = try Program.run(["launch"] + arguments, variables: play.variables)
    #expect(outcome.status == 64 && outcome.errorLines.count == 1, "\(outcome.errors)")
    #expect(play.starts.isEmpty && outcome.errors.count { $0 == "\n" } == 1, "\(outcome.errors)")
  }

  @Test("no mpirun is one line that says how to get it") func noMPI() throws {
    let outcome = try Program.run(["launch", "-n", "2", "--", "train"], variables: ["MPIRUN": "no-mpirun"])
    #expect(outcome.status == 69, "\(outcome.errors)")
    #expect(
      outcome.errorLines == ["error: there is no 'no-mpirun' on PATH: install Open MPI (Debian: openmpi-bin)"]
    )
  }

  @Test("--dry-run shows the command and runs nothing") func dryRun() throws {
    let play = try Play(["exit 0"])
    let outcome = try play.launch(
      ["-n", "2", "--dry-run", "--interfaces", "eth0"], training: ["train", "--run", "a b"])
    #expect(outcome.status == 0 && play.starts.isEmpty, "\(outcome.errors)")
    #expect(outcome.output.contains("OMPI_MCA_btl_tcp_if_include=eth0 ") && outcome.output.contains(" -n 2 "))
    #expect(outcome.output.hasSuffix(" train --run 'a b'\n"), "\(outcome.output)")
  }

  @Test("a launcher is no rank: under mpirun it is refused, once") func underMPI() throws {
    let outcome = try Program.run(["launch", "-n", "2", "--", "train"], ranks: 2)
    #expect(outcome.status == 64, "\(outcome.errors)")
    #expect(outcome.errorLines == ["error: launch starts mpirun itself: run it without mpirun or srun"])
  }
}
