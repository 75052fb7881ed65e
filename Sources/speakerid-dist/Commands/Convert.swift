import ArgumentParser
import Training

/// `speakerid-dist convert`.
struct Convert: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Converts weights between safetensors and PyTorch files.",
    discussion: """
      The suffixes say which: .safetensors, or .pt, .pth and .ckpt for a state dict as torch.save writes it. Of a \
      trainer's whole checkpoint ({"state_dict": …}, {"model_state_dict": …}, {"model": …}) the state dict is taken. \
      Names, shapes and values are kept. Reading a PyTorch file runs nothing that is in it.
      """)

  @Argument(help: ArgumentHelp("The file to read.", valueName: "in"))
  var input: String

  @Argument(
    help: ArgumentHelp(
      "The file to write; one that is there is replaced when all is written.", valueName: "out"))
  var output: String

  func invocation() throws -> Invocation { .job(ConvertJob(input: input, output: output), json: false) }
}
