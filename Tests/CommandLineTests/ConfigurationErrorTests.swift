import Foundation
import TestSupport
import Testing

/// What a person gets to see for a wrong configuration, alone and under mpirun.
@Suite struct ConfigurationErrorTests {
  @Test("an unknown key is named with its file and line, and the nearest there is", arguments: [nil, 2])
  func unknownKey(ranks: Int?) throws {
    let folder = TemporaryFolder()
    let file = try folder.write("train:\n  batch_size: 32\n  totl_steps: 100\n", to: "my.yaml")
    let outcome = try Program.run(["train", "--config", file, "--run", "\(folder.path)/run"], ranks: ranks)
    #expect(outcome.status == 64)
    #expect(
      outcome.errorLines == [
        "error: \(file):3: unknown key 'train.totl_steps': did you mean 'train.total_steps'?"
      ])
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
  }

  @Test("a value of the wrong type is named with what was expected", arguments: [nil, 2]) func wrongType(
    ranks: Int?
  ) throws {
    let outcome = try Program.run(["train", "--set", "train.batch_size=many"], ranks: ranks)
    #expect(outcome.status == 64)
    #expect(
      outcome.errorLines == [
        "error: --set train.batch_size=many: train.batch_size: expected a whole number from 1 to 65536, "
          + "found 'many'"
      ])
  }

  @Test("a configuration file that is not there is missing input", arguments: [nil, 2]) func missingFile(
    ranks: Int?
  ) throws {
    let outcome = try Program.run(["train", "--config", "no/such.yaml"], ranks: ranks)
    #expect(outcome.status == 66)
    #expect(outcome.errorLines == ["error: no/such.yaml: there is no such configuration file"])
  }

  @Test("a number of shards that does not fit says which ones would") func shards() throws {
    let tooFew = try Program.run(["train", "--set", "train.shards=1"], ranks: 2)
    #expect(tooFew.status == 64)
    #expect(
      tooFew.errorLines == [
        "error: train.shards: 1 is too few for 2 processes; start at most 1, or --set train.shards=2 "
          + "(any of 2, 4, 8, 16 or 32 divides train.batch_size 32)"
      ])
    let uneven = try Program.run(["train", "--set", "train.shards=5"])
    #expect(uneven.status == 64)
    #expect(uneven.errorLines.first?.hasSuffix("1, 2, 4, 8, 16 or 32 would") == true)
  }

  @Test("a run that is not there cannot be resumed") func missingRun() throws {
    let outcome = try Program.run(["train", "--resume", "--run", "/no/such/run"])
    #expect(outcome.status == 66)
    #expect(
      outcome.errors == "error: /no/such/run: expected the folder of a run, but there is no such folder\n")
  }
}
