/// Where a command that uses trained weights takes them from.
public enum WeightsSource: Equatable, Sendable {
  /// The best weights of a run, with the run's configuration.
  case run(String)
  /// A file of weights and the configuration of its network; `nil` for the defaults.
  case file(weights: String, configuration: String?)
}
