/// Finds what a person most likely meant by a misspelt name.
public enum Nearest {
  /// The candidate nearest to `name`, if one is near enough to be meant.
  ///
  /// A dotted candidate is also compared by its last part alone, so that `batch_sise` finds
  /// `train.batch_size`.
  public static func match(_ name: String, among candidates: [String]) -> String? {
    let leaf = lastPart(name)
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
      let whole = distance(name, candidate)
      let parts = name.contains(".") ? whole : distance(leaf, lastPart(candidate))
      // The same leaf in another group (`model.dropout`) is what was meant, however far the groups are apart.
      let nearest = leaf == lastPart(candidate) ? 0 : min(whole, parts)
      if nearest < best?.distance ?? .max { best = (candidate, nearest) }
    }
    guard let best, best.distance <= max(2, leaf.count / 3) else { return nil }
    return best.candidate
  }

  /// Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours.
  static func distance(_ a: String, _ b: String) -> Int {
    let a = Array(a.utf8), b = Array(b.utf8)
    var beforeLast = [Int]()
    var last = Array(0...b.count)
    for i in stride(from: 1, through: a.count, by: 1) {
      var row = [i] + [Int](repeating: 0, count: b.count)
      for j in stride(from: 1, through: b.count, by: 1) {
        row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
          row[j] = min(row[j], beforeLast[j - 2] + 1)
        }
      }
      beforeLast = last
      last = row
    }
    return last[b.count]
  }

  private static func lastPart(_ name: String) -> String {
    name.split(separator: ".").last.map(String.init) ?? name
  }
}

/// "a, b or c".
public func listed(_ words: [String], _ conjunction: String) -> String {
  guard let last = words.last, words.count > 1 else { return words.first ?? "" }
  return words.dropLast().joined(separator: ", ") + " \(conjunction) " + last
}
