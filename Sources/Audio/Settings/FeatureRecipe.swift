import Diagnostics
import TensorFiles

/// What features were made of sound with, as a pack's header and a checkpoint keep it.
///
/// Two of the same text make the same features of the same file; a network is used on none but its own.
public struct FeatureRecipe: Equatable, Sendable {
  /// An object of JSON on one line, its keys in a fixed order.
  public let text: String

  /// The recipe of a configuration.
  public init(_ audio: AudioSettings, _ features: FeatureSettings) {
    let front = FrontEndParameters(features, rate: audio.rate)
    let channel: JSON =
      switch audio.channel {
      case .mean: "mean"
      case .number(let number): .integer(number)
      }
    var members: [(String, JSON)] = [
      ("version", .integer(Self.version)),
      ("rate", .integer(audio.rate)), ("bandwidth", audio.bandwidth.map(JSON.integer) ?? .null),
      ("channel", channel), ("resampler", .string(Resampler.name)),
      ("peak_db", audio.peakDecibels.map(JSON.number) ?? .null), ("trim", .string(audio.trim.rawValue)),
      ("kind", .string(features.kind.rawValue)), ("bands", .integer(front.bands)),
      ("low_hz", .number(front.lowHertz)), ("high_hz", .number(front.highHertz)),
      ("window_ms", .number(front.windowMilliseconds)), ("hop_ms", .number(front.hopMilliseconds)),
      ("window", .string(front.window.rawValue)), ("preemphasis", .number(front.preemphasis)),
      ("dither", .number(front.dither)),
    ]
    if let topDecibels = front.topDecibels { members.append(("top_db", .number(topDecibels))) }
    text = JSON.object(JSONObject(members)).serialized()
  }

  /// A recipe as it was kept.
  ///
  /// - Throws: `.badData` for what is none, naming where it was.
  public init(text: String, from name: String) throws(Failure) {
    guard text.utf8.count <= Self.longest,
      case .object(let members)? = try? JSON.parse(Array(text.utf8), name: name)
    else { throw Failure(.badData, "\(name): what its features were made with is not told as a JSON object") }
    self.text = JSON.object(members).serialized()
  }

  /// The same as JSON.
  public var json: JSON { (try? JSON.parse(Array(text.utf8), name: "")) ?? .null }

  /// The members, in order.
  public var members: [(key: String, value: String)] {
    guard case .object(let object) = json else { return [] }
    return object.map { ($0.key, $0.value.string ?? $0.value.serialized()) }
  }

  /// How a recipe is named beside others: 16 hexadecimal digits.
  public var hash: String { Self.hash(of: text) }

  /// 64 bits of a text (FNV-1a), as 16 hexadecimal digits.
  package static func hash(of text: String) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// In what another recipe differs from this one: "bands is 80, where 40 …"; nil if in nothing.
  public func difference(to other: FeatureRecipe) -> (key: String, mine: String, others: String)? {
    guard text != other.text else { return nil }
    let theirs = Dictionary(other.members.map { ($0.key, $0.value) }) { first, _ in first }
    for (key, value) in members where theirs[key] != value { return (key, value, theirs[key] ?? "not told") }
    let mine = Set(members.map(\.key))
    let more = other.members.first { !mine.contains($0.key) }
    return more.map { ($0.key, "not told", $0.value) }
  }

  /// Raised when the same settings begin to make other features.
  private static let version = 1
  /// Far more than any.
  private static let longest = 1 << 16
}
