/// The members of a JSON object in file order, each key once.
///
/// Lookup is a scan for a few members and hashed beyond that, so both the 56,666 small objects of a
/// `metadata.json` and one object of 65,000 keys are cheap.
public struct JSONObject: Equatable, Sendable {
  struct Member: Equatable, Sendable {
    let key: String
    var value: JSON
  }

  private static let scannedCount = 8

  private var members: [Member] = []
  /// key → position; empty while there are at most `scannedCount` members.
  private var positions: [String: Int] = [:]

  /// An object without members.
  public init() {}

  /// The given members in order; a repeated key keeps its first place and its last value, as in Python.
  public init(_ pairs: [(String, JSON)]) {
    members.reserveCapacity(pairs.count)
    for (key, value) in pairs { self[key] = value }
  }

  /// The value of `key`: O(1). Setting a new key appends it, setting nil removes it in O(count).
  public subscript(key: String) -> JSON? {
    get { position(of: key).map { members[$0].value } }
    set {
      switch (position(of: key), newValue) {
      case (let position?, let value?): members[position].value = value
      case (nil, let value?): append(key, value)
      case (let position?, nil):
        members.remove(at: position)
        reindex()
      case (nil, nil): break
      }
    }
  }

  /// The keys in order.
  public var keys: [String] { members.map(\.key) }

  /// The values in key order.
  public var values: [JSON] { members.map(\.value) }

  /// Equal if the same members come in the same order.
  public static func == (left: JSONObject, right: JSONObject) -> Bool { left.members == right.members }

  /// Appends a member whose key is not there yet, or returns false.
  mutating func appendIfNew(_ key: String, _ value: JSON) -> Bool {
    guard position(of: key) == nil else { return false }
    append(key, value)
    return true
  }

  private func position(of key: String) -> Int? {
    positions.isEmpty ? members.firstIndex { $0.key == key } : positions[key]
  }

  private mutating func append(_ key: String, _ value: JSON) {
    members.append(Member(key: key, value: value))
    if !positions.isEmpty {
      positions[key] = members.count - 1
    } else if members.count > Self.scannedCount {
      reindex()
    }
  }

  private mutating func reindex() {
    positions.removeAll()
    guard members.count > Self.scannedCount else { return }
    for (position, member) in members.enumerated() { positions[member.key] = position }
  }
}

extension JSONObject: RandomAccessCollection {
  /// The first position.
  public var startIndex: Int { 0 }
  /// The number of members.
  public var endIndex: Int { members.count }
  /// The member at a position.
  public subscript(position: Int) -> (key: String, value: JSON) {
    (members[position].key, members[position].value)
  }
}
