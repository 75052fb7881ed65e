import Diagnostics

/// Pairs of recordings, and whether each is of one person.
///
/// Names are kept once, however often they come: a list of millions of trials takes nine bytes for each.
public struct TrialList: Equatable, Sendable {
  /// The ways in which the field writes a trial.
  public enum Form: String, CaseIterable, Sendable {
    /// VoxCeleb, clovaai, SpeechBrain: `1 enrol test`, 0 for two persons.
    case voxCeleb = "1|0 enrol test"
    /// Kaldi, WeSpeaker: `enrol test target`, or `nontarget`.
    case kaldi = "enrol test target|nontarget"
    /// CN-Celeb, 3D-Speaker: `enrol test 1`, or 0.
    case cnCeleb = "enrol test 1|0"

    /// Whether a line's label is of this form, and what it says; nil if it is of another.
    fileprivate func label(_ fields: [Substring]) -> Bool? {
      guard fields.count == 3 else { return nil }
      switch self {
      case .voxCeleb: return Self.digit(fields[0])
      case .kaldi: return fields[2] == "target" ? true : fields[2] == "nontarget" ? false : nil
      case .cnCeleb: return Self.digit(fields[2])
      }
    }

    private static func digit(_ field: Substring) -> Bool? {
      field == "1" ? true : field == "0" ? false : nil
    }
  }

  /// What the recordings are called, each once.
  public private(set) var names: [String] = []
  /// The first of each pair, by its place in `names`.
  public private(set) var enrol: [Int32] = []
  /// The second of each pair.
  public private(set) var test: [Int32] = []
  /// Whether the pair is of one person.
  public private(set) var isTarget: [Bool] = []
  /// The line of the first trial of each name, counted from 1, for messages; empty for a list that was not read.
  public private(set) var lines: [Int] = []

  private var places: [String: Int32] = [:]

  /// No trials.
  public init() {}

  /// How many trials.
  public var count: Int { isTarget.count }

  /// Adds a trial.
  ///
  /// - Parameter line: where it stands in its file.
  public mutating func append(
    _ enrol: some StringProtocol, _ test: some StringProtocol, isTarget: Bool, line: Int = 0
  ) {
    self.enrol.append(place(of: String(enrol), line))
    self.test.append(place(of: String(test), line))
    self.isTarget.append(isTarget)
  }

  private mutating func place(of name: String, _ line: Int) -> Int32 {
    if let place = places[name] { return place }
    let place = Int32(names.count)
    places[name] = place
    names.append(name)
    lines.append(line)
    return place
  }

  /// Reads a list of any form; which one it is, is recognised by what all lines have in common.
  ///
  /// - Throws: `missingInput`, `inputOutput`; `badData` that names file and line for a line that is no trial of the form
  ///   that those before it have, for a list that two forms fit, and for one without trials.
  public init(reading path: String) throws(Failure) {
    let form = try Self.form(of: path)
    var lines = try TextLines(path)
    while let line = try lines.next() {
      guard let isTarget = form.label(line.fields) else {
        throw Failure(.badData, "\(path):\(line.number): expected '\(form.rawValue)' as on the lines before")
      }
      let pair = form == .voxCeleb ? line.fields[1...] : line.fields[..<2]
      append(pair.first!, pair.last!, isTarget: isTarget, line: line.number)
    }
  }

  /// The only form that all lines up to one have; the first line that has none of those before ends the search too.
  private static func form(of path: String) throws(Failure) -> Form {
    var lines = try TextLines(path)
    var forms = Form.allCases
    var hasLines = false
    while forms.count > 1, let line = try lines.next() {
      let fitting = forms.filter { $0.label(line.fields) != nil }
      if fitting.isEmpty {
        let known = (hasLines ? forms : Form.allCases).map { "'\($0.rawValue)'" }
        throw Failure(
          .badData,
          "\(path):\(line.number): is no trial: expected \(listed(known, "or")), found"
            + " \(line.fields.joined(separator: " ").quoted)")
      }
      hasLines = true
      forms = fitting
    }
    guard hasLines else { throw Failure(.badData, "\(path): holds no trials") }
    guard forms.count == 1 else {
      throw Failure(
        .badData,
        "\(path): the first and the last word of every line are 0 or 1: which is the label cannot be told; write"
          + " target and nontarget behind the pairs")
    }
    return forms[0]
  }
}
