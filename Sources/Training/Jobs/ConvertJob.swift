import Collectives
import Diagnostics
import TensorFiles

/// The options of `convert`, and the work: weights between safetensors and PyTorch files.
public struct ConvertJob: Job {
  /// The file to read, `.safetensors`, `.pt` or `.ckpt`.
  public var input: String
  /// The file to write, of another or the same kind.
  public var output: String

  /// Converts `input` to `output`, by their suffixes.
  public init(input: String, output: String) {
    self.input = input
    self.output = output
  }

  /// Converts, on rank 0. Names, shapes, types and values are kept; a PyTorch file repeats shared weights, as
  /// PyTorch itself does.
  public func run<C: Communicator>(_ group: C, console: Console) throws {
    _ = try group.onRankZero {
      let kind = try WeightsFile.Kind(of: output)
      guard !FileWriting.isSameFile(input, output) else {
        throw Failure(.usage, "\(output) is the file to read: give the file to write another name")
      }
      try FileSystem.checkWritable(output)
      let weights = try WeightsFile.open(input)
      try WeightsFile.write(weights, to: output, kind: kind)
      console.info("Wrote \(weights.names.count) tensors to \(output).")
    }
  }
}
