import Diagnostics

/// What kind of list a file is, by its name or else by its first lines.
enum ListKind {
  private static let names: [(beginning: String, layout: Layout)] = [
    ("train_list", .trainList), ("iden_split", .idenSplit), ("raw.list", .rawList),
    ("shard.list", .shardList),
  ]
  private static let looked = 1000

  /// - Throws: `.missingInput` if it is not there, `.badData` if it is no file or no list that is known, `.usage` if it
  ///   may be two, or is no list of recordings.
  static func recognised(at path: String) throws(Failure) -> Layout {
    var list: ListReader
    do throws(Failure) {
      list = try ListReader(path)
    } catch  where error.kind == .missingInput {
      throw Failure(.missingInput, "\(path): no such folder, and no such list")
    }
    if list.name == "wav.scp" { return .kaldi }
    if list.name.hasSuffix(".tar") { return .shardList }
    if SoundSuffix(list.name) != nil {
      throw Failure(
        .usage, "\(path) is a sound file: give the folder of the speakers' folders, or a list of such files")
    }
    if let named = names.first(where: { list.name.hasPrefix($0.beginning) }) { return named.layout }
    var counts: [Line: Int] = [:], first: ListReader.Line?
    var ignored = Gathering()
    while let line = try list.next(&ignored), line.number <= looked {
      if first == nil, SpeechBrainTable.isHeader(line.text) { return .speechBrain }
      first = first ?? line
      counts[Line(line), default: 0] += 1
    }
    guard let first else {
      throw Failure(.badData, "\(path) is empty, where a list of recordings is expected")
    }
    // One bad line changes nothing.
    switch Line.allCases.max(by: { counts[$0, default: 0] < counts[$1, default: 0] })! {
    case .json: return .rawList
    case .tar: return .shardList
    case .pair: return .trainList
    case .numbered:
      throw Failure(
        .usage,
        "\(path) can be read as \(Layout.trainList.rawValue) (speakers 1, 2 and 3) and \(Layout.idenSplit.rawValue) (to"
          + " train, to validate, to test): --layout says as which")
    case .trial:
      throw Failure(
        .usage, "\(path) looks like a list of trials, which 'score' takes: here recordings are expected")
    case .other:
      throw Failure(
        .badData,
        "\(path): is no list that is known: \(first.place) is \(first.text.quoted), where SPEAKER PATH, 1|2|3 PATH, JSON"
          + " with key, spk and wav, the heading of a CSV (ID,duration,wav,start,stop,spk_id) or a .tar is expected"
      )
    }
  }

  /// What a line looks like.
  private enum Line: CaseIterable {
    case json, tar, trial, numbered, pair, other

    init(_ line: ListReader.Line) {
      let fields = line.fields
      if line.text.hasPrefix("{") {
        self = .json
      } else if line.text.hasSuffix(".tar") {
        self = .tar
      } else if fields.count == 3,
        ["0", "1"].contains(fields[0]) || ["target", "nontarget"].contains(fields[2])
      {
        self = .trial
      } else if fields.count == 2, ["1", "2", "3"].contains(fields[0]) {
        self = .numbered
      } else {
        self = fields.count >= 2 ? .pair : .other
      }
    }
  }
}
