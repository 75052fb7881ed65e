import Collectives
import Foundation
import SpeakerNet
import TensorFiles
import TestSupport
import Testing
import Training

/// What a run does with its steps: the notebook's learning rates, and lines about them.
@Suite("The schedule") struct ScheduleTests {
  @Test("metrics.jsonl tells the notebook's learning rates") func learningRates() throws {
    let corpus = try SmallCorpus()
    let result = try SmallTraining("transformer", data: corpus.path)(.solo)
    let lines = result.metrics.lines(of: "train")
    #expect(lines.compactMap { $0["step"]?.int } == Array(stride(from: 3, through: 48, by: 3)))
    for line in lines {
      // The line after step s is about the s-th step, whose number from 0 is s - 1.
      let step = Double((line["step"]?.int ?? 0) - 1)
      let factor = step < 5 ? step / 5 : 0.5 * (1 + cos(.pi * (step - 5) / 45))
      #expect(abs((line["lr"]?.double ?? .nan) - 0.01 * factor) < 1e-12)
    }
    let valid = result.metrics.lines(of: "valid")
    #expect(valid.compactMap { $0["step"]?.int } == [30, 50])
  }

  @Test("the epoch is the samples drawn by the training utterances there are, to the last bit") func epoch()
    throws
  {
    let corpus = try SmallCorpus()
    for group in [SmallTraining.Group.solo, .threads(ranks: 3)] {
      let result = try SmallTraining("transformer", data: corpus.path)(group)
      #expect(!result.metrics.lines.isEmpty)
      // Of 60 utterances 54 are trained on, 16 a step.
      for line in result.metrics.lines {
        #expect(try line["epoch"]?.double == Double(16 * #require(line["step"]?.int)) / 54)
      }
    }
  }

  @Test("the first step has learning rate 0 and changes no weight") func firstStep() throws {
    let corpus = try SmallCorpus()
    let folder = TemporaryFolder()
    var job = TrainJob()
    job.data = corpus.path
    job.runDirectory = "\(folder.path)/run"
    job.overrides =
      SmallTraining("shared_transformer", data: corpus.path).settings.map { "\($0)=\($1)" }
      + ["train.total_steps=1"]
    try job.run(SoloGroup(), console: Console(talks: false))
    let run = try RunDirectory.open("\(folder.path)/run")
    let configuration = try run.configuration()
    let state = ModelState(layout: try SpeakerModel(configuration.model, speakers: corpus.speakers).layout)
    state.initialize(seed: configuration.train.seed)
    let checkpoint = try run.checkpoints(keep: 1).read(step: 1)
    let drawn = state.stateDict()
    #expect(Set(checkpoint.model.names) == Set(drawn.names))
    for (name, tensor) in drawn { #expect(checkpoint.model[name]?.bytes == tensor.bytes, "\(name)") }
    // The optimizer has seen the gradient all the same, and knows nothing of what never gets one.
    let moments = try checkpoint.optimizer.flatMap { try $0.tensor.float32Values() }
    #expect(moments.contains { $0 != 0 })
    #expect(!checkpoint.optimizer.names.contains { $0.contains("Norm2") })
    #expect(checkpoint.optimizer.names.contains("exp_avg_sq.encoder.layers.0.Norm1.weight"))
  }

  @Test("what never gets a gradient is left alone, weight decay included") func untrained() throws {
    let corpus = try SmallCorpus()
    let result = try SmallTraining("shared_transformer", data: corpus.path)(.threads(ranks: 3))
    let weight = try #require(result.tensors["weight encoder.layers.0.Norm2.weight"])
    #expect(try weight.float32Values().allSatisfy { $0 == 1 })
    let used = try #require(result.tensors["weight encoder.layers.0.Norm1.weight"])
    #expect(try !used.float32Values().contains(1))
  }
}
