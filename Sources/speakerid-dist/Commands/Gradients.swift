import ArgumentParser
import Training

/// `speakerid-dist gradients`.
struct Gradients: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "One forward and backward pass on a given batch, to compare with another implementation.",
    discussion: """
      In training mode with dropout off and BatchNorm on the batch's statistics. Writes 'loss' F32 [1], the mean over \
      the batch with the margin included; 'logits' F32 [B, speakers], without it; and 'grad.NAME' for every \
      parameter under its PyTorch name. The file is the same on any number of processes.
      """)

  @OptionGroup var configuration: ConfigurationOptions

  @Option(
    help: ArgumentHelp("The weights; they say how many speakers there are.", valueName: "file.safetensors"))
  var weights: String

  @Option(
    help: ArgumentHelp(
      "The batch: 'mels' F32 [B, T, 40] and 'labels' I64 [B].", valueName: "file.safetensors"))
  var batch: String

  @Option(help: ArgumentHelp("Where the gradients go; - for standard output.", valueName: "file.safetensors"))
  var output: String

  @OptionGroup var threads: ThreadOptions

  func invocation() throws -> Invocation {
    var job = GradientsJob(
      configurationFile: configuration.file, weights: weights, batch: batch, output: output)
    job.overrides = configuration.overrides
    job.threads = threads.count
    return .job(job, json: output == "-")
  }
}
