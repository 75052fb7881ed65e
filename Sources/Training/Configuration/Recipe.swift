import Diagnostics
import Recipes
import SpeakerNet
import Yams

/// A system of one of the five reports: a file of `configs`, with what its `recipe:` part says about it.
///
/// That part is for people and for `recipes`; a configuration that has it is read as if it had not.
public struct Recipe: Sendable {
  /// Figures that a report publishes about a system. Nothing here was measured by this program.
  public struct Published: Equatable, Sendable {
    /// Accuracy on 128-frame segments of the validation split, 0 ... 1.
    public var validationAccuracy: Double?
    /// The step of that accuracy, if it is not the last.
    public var step: Int?
    /// Accuracy on the private half of the homework's test set, 0 ... 1.
    public var privateAccuracy: Double?
    /// Accuracy on its public half, 0 ... 1.
    public var publicAccuracy: Double?
    /// Training steps a second on a hosted notebook's GPU, from the slowest to the fastest shown.
    public var stepsPerSecond: ClosedRange<Double>?
    /// Utterances validated a second, likewise.
    public var utterancesPerSecond: ClosedRange<Double>?
  }

  /// The name of that part in a file.
  static let group = "recipe"

  /// The speakers of the homework, for which the reports count parameters.
  public static let speakers = 600

  /// The name of the file in `configs`, without its suffix.
  public let name: String
  /// The report it comes from: `003`; `nil` for a configuration that is not shipped.
  public private(set) var report: String?
  /// The whole configuration.
  public let configuration: Configuration
  /// What the report says it reached.
  public private(set) var published = Published()
  /// What was assumed where the report leaves something open.
  public private(set) var assumed: String?
  /// What else is worth knowing.
  public private(set) var note: String?

  /// Every shipped recipe, in the order of the reports.
  public static let all = RecipeFile.all.map { file in
    do { return try Recipe(file) } catch { preconditionFailure("a file of this build: \(error)") }
  }

  /// The network.
  public var model: ModelConfiguration { configuration.model }

  /// Reads a recipe's file.
  ///
  /// - Throws: `internalError` for a `recipe:` part with something else in it, which would be a defect of the file.
  public init(_ file: RecipeFile) throws {
    name = file.name
    configuration = try Configuration.parse(yaml: file.yaml, name: "configs/\(file.name).yaml")
    let part = try Yams.compose(yaml: file.yaml)?.mapping?[Node(Self.group)]?.mapping ?? [:]
    for (key, value) in part {
      switch (key.string, value.string) {
      case ("report", let text?): report = text
      case ("assumed", let text?): assumed = text
      case ("note", let text?): note = text
      case ("published", nil):
        for (figure, value) in value.mapping ?? [:] { try publish(figure.string, value) }
      default: throw defect(key.string)
      }
    }
    guard report != nil else { throw defect("report") }
  }

  /// A configuration of somebody's own.
  public init(name: String, _ configuration: Configuration) {
    self.name = name
    self.configuration = configuration
  }

  private mutating func publish(_ figure: String?, _ value: Node) throws {
    let numbers = (value.sequence.map { Array($0) } ?? [value]).compactMap {
      $0.scalar.flatMap { Double.construct(from: $0) }
    }
    guard let least = numbers.first, let most = numbers.last, least <= most else { throw defect(figure) }
    switch figure {
    case "valid_accuracy": published.validationAccuracy = least
    case "at_step": published.step = Int(least)
    case "private_accuracy": published.privateAccuracy = least
    case "public_accuracy": published.publicAccuracy = least
    case "steps_per_s": published.stepsPerSecond = least...most
    case "utterances_per_s": published.utterancesPerSecond = least...most
    default: throw defect(figure)
    }
  }

  private func defect(_ key: String?) -> Failure {
    Failure(.internalError, "configs/\(name).yaml: \(Self.group).\(key ?? "?") is not as it should be")
  }

  /// Parameters with the homework's 600 speakers, in all and in the encoder, counted on the network itself.
  public func parameters() throws -> (total: Int, encoder: Int) {
    let network = try SpeakerModel(model, speakers: Self.speakers)
    return (network.parameterCount, network.encoderParameters)
  }
}
