import TensorFiles

// The files beside the utterances.
extension CorpusSynthesizer {
  /// The version of the synthesis: raised when the same parameters begin to give other utterances.
  public static let version = 1

  /// What tells one corpus from another, the text of `synthesis.json`.
  package var parameters: JSON {
    [
      "version": .integer(Self.version), "speakers": .integer(speakers),
      "utterances": .integer(trainingUtterances), "test_utterances": .integer(testUtterances),
      "seed": .string(String(seed)), "lengths": .string(lengths.name),
    ]
  }

  /// The names and the texts of the homework's three lists, and of the answers it keeps to itself.
  func lists() -> [(name: String, text: String)] {
    let all = utterances.map { utterance($0) }
    let training = all.prefix(trainingUtterances)
    let test = all.suffix(testUtterances)

    var bySpeaker = [[JSON]](repeating: [], count: speakers)
    for utterance in training { bySpeaker[utterance.speaker].append(entry(utterance)) }
    let names = (0..<speakers).map(speakerName)
    let metadata: JSON = [
      "n_mels": .integer(LogMel.bands),
      "speakers": .object(JSONObject(zip(names, bySpeaker).map { ($0, .array($1)) })),
    ]
    let testdata: JSON = [
      "n_mels": .integer(LogMel.bands), "utterances": .array(test.map(entry)),
    ]
    let mapping: JSON = [
      "speaker2id": .object(JSONObject(names.enumerated().map { ($1, .integer($0)) })),
      "id2speaker": .object(JSONObject(names.enumerated().map { (String($0), .string($1)) })),
    ]
    // The form of a submission, line ends included, so that the two can be compared line by line.
    let answers = test.map { "\($0.fileName),\(names[$0.speaker])\r\n" }.joined()
    return [
      ("metadata.json", metadata.serialized(indent: 2)), ("testdata.json", testdata.serialized(indent: 2)),
      ("mapping.json", mapping.serialized(indent: 2)), ("test_answers.csv", "Id,Category\r\n" + answers),
    ]
  }

  private func entry(_ utterance: Utterance) -> JSON {
    ["feature_path": .string(utterance.fileName), "mel_len": .integer(utterance.frames)]
  }
}
