import Diagnostics
import SpeakerNet

/// A system of one of the five reports, as shipped in `configs/NAME.yaml`.
public struct Recipe: Sendable {
  /// Figures that a report publishes about a system. Nothing here was measured by this program.
  public struct Published: Equatable, Sendable {
    /// Accuracy on 128-frame segments of the validation split, 0 ... 1.
    public var validationAccuracy: Double?
    /// Accuracy on the private half of the homework's test set, 0 ... 1.
    public var privateAccuracy: Double?
    /// Training steps a second on a hosted notebook's GPU, from the slowest to the fastest shown.
    public var stepsPerSecond: ClosedRange<Double>?
    /// Utterances validated a second, likewise.
    public var utterancesPerSecond: ClosedRange<Double>?

    init(
      _ validationAccuracy: Double? = nil, private privateAccuracy: Double? = nil,
      steps: ClosedRange<Double>? = nil, utterances: ClosedRange<Double>? = nil
    ) {
      self.validationAccuracy = validationAccuracy
      self.privateAccuracy = privateAccuracy
      stepsPerSecond = steps
      utterancesPerSecond = utterances
    }
  }

  /// The speakers of the homework, for which the reports count parameters.
  public static let speakers = 600

  /// The name of the file in `configs`, without its suffix; the first three characters name the report.
  public let name: String
  /// The network. All recipes are trained as the homework's notebook trains.
  public let model: ModelConfiguration
  /// What the report says it reached.
  public let published: Published

  init(_ name: String, _ model: ModelConfiguration, _ published: Published = Published()) {
    self.name = name
    self.model = model
    self.published = published
  }

  /// The report it comes from: `003`.
  public var report: String { String(name.prefix(3)) }

  /// The whole configuration.
  public var configuration: Configuration {
    var configuration = Configuration()
    configuration.model = model
    return configuration
  }

  /// Parameters with the homework's 600 speakers, in all and in the encoder, counted on the network itself.
  public func parameters() throws -> (total: Int, encoder: Int) {
    let network = try SpeakerModel(model, speakers: Self.speakers)
    return (network.parameterCount, network.encoderParameters)
  }
}
