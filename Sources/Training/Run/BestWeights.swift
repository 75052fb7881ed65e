import Diagnostics
import TensorFiles

/// The weights that validated best: `best/model.safetensors`, a copy of its own, replaced in one piece.
///
/// Step and accuracy stand in the file itself, as safetensors metadata, so that weights and figures cannot come
/// apart; `best/state.json` repeats them for people and tools.
public enum BestWeights {
  /// Writes the weights of a run.
  ///
  /// - Throws: `inputOutput`; what was there before is then still there.
  public static func save(_ model: NamedTensors, _ result: BestResult, run: RunDirectory) throws {
    try FileWriting.createFolder(folder(of: run))
    var marked = model
    marked.metadata["step"] = String(result.step)
    marked.metadata["accuracy"] = result.accuracy.description
    try Safetensors.write(marked, to: run.bestModelFile)
    let state: JSON = ["step": .integer(result.step), "accuracy": .number(result.accuracy)]
    try FileWriting.writeAtomically(
      Array((state.serialized(indent: 2) + "\n").utf8), to: "\(folder(of: run))/state.json")
  }

  /// Reads the weights of a run, or `nil` if it was never validated.
  ///
  /// - Throws: `badData` when the file is damaged or is not one of ``save(_:_:run:)``.
  public static func load(run: RunDirectory) throws -> (model: NamedTensors, result: BestResult)? {
    guard FileSystem.exists(run.bestModelFile) else { return nil }
    let model = try Safetensors.read(path: run.bestModelFile)
    guard let step = model.metadata["step"].flatMap({ Int($0) }),
      let accuracy = model.metadata["accuracy"].flatMap({ Double($0) })
    else {
      throw Failure(.badData, "\(run.bestModelFile): expected a step and an accuracy among its metadata")
    }
    return (model, BestResult(accuracy: accuracy, step: step))
  }

  private static func folder(of run: RunDirectory) -> String { "\(run.path)/best" }
}
