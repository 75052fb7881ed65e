import Foundation
import TensorFiles
import TestSupport
import Testing

/// From the homework's folder to a run: the same files whoever does it, and from the packed folder too.
@Suite("Pack and train") struct PackAndTrainTests {
  @Test("packing writes the same files on any number of ranks", arguments: [1, 2, 3]) func packing(ranks: Int)
    throws
  {
    let folder = TemporaryFolder()
    let outcome = try Program.run(WholeWay.packing(to: "\(folder.path)/packed"), ranks: ranks)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let expected = try files(below: WholeWay.packed.get())
    #expect(expected.count == 17)
    #expect(try files(below: "\(folder.path)/packed") == expected)
  }

  @Test("a run on the packed corpus is the same, to the bit", arguments: [nil, 2, 3]) func packedRun(
    ranks: Int?
  ) throws {
    let folder = TemporaryFolder()
    let run = "\(folder.path)/run"
    let outcome = try Program.run(
      WholeWay.training(run: run, data: WholeWay.packed.get()), ranks: ranks)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let expected = try WholeWay.tensors(WholeWay.run.get())
    // Three checkpoints of two files, the best weights and the configuration.
    #expect(expected.count == 8)
    let found = try WholeWay.tensors(run)
    #expect(expected.keys.filter { found[$0] != expected[$0] } == [])
    #expect(found.count == expected.count)
    #expect(try RunMetrics(run: run) == RunMetrics(run: WholeWay.run.get()))
  }
}

/// A run goes on where the weights of another were.
@Suite("Starting from given weights") struct StartingWeightsTests {
  @Test("a run begins with the given weights, and has the same bits on one rank and on two") func given()
    throws
  {
    let folder = TemporaryFolder()
    let given = try WholeWay.run.get() + "/best/model.safetensors"
    let torch = "\(folder.path)/best.ckpt"
    #expect(try Program.run(["convert", given, torch]).status == 0)

    // Alone from the one kind of file, on two ranks from the other, and from nothing.
    let starts: [(ranks: Int?, weights: String?)] = [(nil, given), (1, torch), (2, torch), (nil, nil)]
    let runs = try starts.enumerated().map { index, start in
      let run = "\(folder.path)/run-\(index)"
      let outcome = try Program.run(
        WholeWay.training(run: run, steps: 12) + (start.weights.map { ["--weights", $0] } ?? []),
        ranks: start.ranks)
      #expect(outcome.status == 0, "\(outcome.errors)")
      return run
    }
    let expected = try WholeWay.tensors(runs[0])
    for run in runs[1...2] {
      let found = try WholeWay.tensors(run)
      #expect(expected.keys.filter { found[$0] != expected[$0] } == [])
      #expect(try RunMetrics(run: run) == RunMetrics(run: runs[0]))
    }

    let weights = try Safetensors.read(path: given)
    let first = try Safetensors.read(path: "\(runs[0])/checkpoints/step-00000000/model.safetensors")
    #expect(Set(first.names) == Set(weights.names))
    for (name, tensor) in weights { #expect(first[name] == tensor, "\(name)") }
    let last = "checkpoints/step-00000012/model.safetensors"
    #expect(expected[last] != nil)
    #expect(try WholeWay.tensors(runs[3])[last] != expected[last])
  }
}
