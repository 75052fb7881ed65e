import Diagnostics

/// How a folder or a list says which recordings there are and whose they are.
public enum Layout: String, Sendable, CaseIterable {
  /// Features, not sound: `metadata.json` and a `.pt` file an utterance. ``Corpus`` reads it.
  case homework
  /// Features, not sound: `manifest.json` and `.mels` files. ``Corpus`` reads it.
  case packed
  /// `ROOT/SPEAKER/**/*.wav`, or another kind of sound file.
  case speakerFolders = "speaker-folders"
  /// `ROOT/{dev,test}/{wav,aac}/id10001/VIDEO/00001.wav`, or `ROOT/wav/…` with the two parts merged.
  case voxCeleb = "voxceleb"
  /// `ROOT/SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-0000.flac`.
  case libriSpeech = "librispeech"
  /// `wav.scp`, `utt2spk` or `spk2utt`, and `segments` where there are any.
  case kaldi
  /// `train_list.txt` of clovaai's voxceleb_trainer: `SPEAKER PATH`.
  case trainList = "train-list"
  /// VoxCeleb1's `iden_split.txt`: `1|2|3 PATH`, to train, to validate, to test.
  case idenSplit = "iden-split"
  /// WeSpeaker's `raw.list`: a JSON object a line.
  case rawList = "raw-list"
  /// WeSpeaker's `shard.list`: a tar file a line.
  case shardList = "shard-list"
  /// SpeechBrain's CSV: `ID,duration,wav,start,stop,spk_id`.
  case speechBrain = "speechbrain"
  /// Sound files whose names tell the speaker, by a regular expression.
  case fileNames = "file-names"

  /// The layout that a configuration calls by this name; nil for `auto`, which is to be recognised.
  ///
  /// - Throws: `.usage`, with the names that there are.
  public static func named(_ name: String) throws(Failure) -> Layout? {
    guard name != "auto" else { return nil }
    guard let layout = Layout(rawValue: name) else {
      let names = ["auto"] + allCases.map(\.rawValue)
      let meant = Nearest.match(name, among: names).map { "; did you mean \($0)?" } ?? ""
      throw Failure(.usage, "\(name.quoted) is no layout: \(listed(names, "or")) is expected\(meant)")
    }
    return layout
  }
}
