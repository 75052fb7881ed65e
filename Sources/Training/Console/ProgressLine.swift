import Foundation

/// A number shown at the end of a progress line.
public enum ProgressValue: Equatable, Sendable {
  /// A count, shortened as tqdm shortens numbers: 2000, 1e+4, 52000.
  case count(Int)
  /// A number with that many digits after the point.
  case fixed(Double, digits: Int)

  var text: String {
    switch self {
    case .count(let count):
      // tqdm's format_num: three digits in scientific form, if that is shorter.
      let short = String(format: "%.3g", Double(count))
        .replacingOccurrences(of: "e+0", with: "e+").replacingOccurrences(of: "e-0", with: "e-")
      let long = String(count)
      return short.utf8.count < long.utf8.count ? short : long
    case .fixed(let number, let digits):
      return String(format: "%.\(digits)f", number)
    }
  }
}

/// What a progress line says, to the letter as tqdm 4 says it with `ncols=0`:
///
///     Train: 100% 2000/2000 [00:45<00:00, 43.60 step/s, accuracy=0.56, loss=2.07, step=52000]
///
/// It is text only: when it is shown, and where, is ``ProgressBar``'s matter.
public struct ProgressLine: Equatable, Sendable {
  /// What is being done: `Train`.
  public var label: String
  /// What is counted: `step`.
  public var unit: String
  /// How many there are, at least 1.
  public var total: Int

  /// - Parameters:
  ///   - label: what is being done: `Train`.
  ///   - unit: what is counted: `step`.
  ///   - total: how many there are; values below 1 count as 1.
  public init(_ label: String, unit: String, total: Int) {
    self.label = label
    self.unit = unit
    self.total = max(1, total)
  }

  /// The line after `done` of `total`.
  ///
  /// - Parameters:
  ///   - elapsed: seconds since the start.
  ///   - rate: units a second; `nil` for the average so far.
  ///   - values: shown sorted by name.
  public func text(
    done: Int, elapsed: Double, rate: Double? = nil, values: [String: ProgressValue] = [:]
  ) -> String {
    let rate = rate ?? (elapsed > 0 ? Double(done) / elapsed : 0)
    let percent = String(format: "%3.0f%%", Double(done) / Double(total) * 100)
    let remaining = rate > 0 ? Self.clock(Double(total - done) / rate) : "?"
    let postfix = values.sorted { $0.key < $1.key }.map { ", \($0.key)=\($0.value.text)" }.joined()
    return "\(label): \(percent) \(done)/\(total) "
      + "[\(Self.clock(elapsed))<\(remaining), \(speed(rate))\(postfix)]"
  }

  /// Units a second, or seconds a unit when that is above one.
  private func speed(_ rate: Double) -> String {
    guard rate > 0 else { return "? \(unit)/s" }
    return 1 / rate > 1
      ? String(format: "%5.2f", 1 / rate) + "s/ \(unit)"
      : String(format: "%5.2f", rate) + " \(unit)/s"
  }

  /// mm:ss, from one hour on h:mm:ss; parts of a second are cut off.
  private static func clock(_ seconds: Double) -> String {
    // A rate near zero would put the end beyond what an integer holds.
    let seconds = Int(min(max(0, seconds), 1e15))
    let (hours, minutes) = (seconds / 3_600, seconds / 60 % 60)
    let tail = String(format: "%02d:%02d", minutes, seconds % 60)
    return hours > 0 ? "\(hours):\(tail)" : tail
  }
}
