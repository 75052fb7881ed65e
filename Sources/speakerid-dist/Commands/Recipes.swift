import ArgumentParser
import Training

/// `speakerid-dist recipes`.
struct Recipes: JobCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the shipped recipes with what their reports publish.",
    discussion: "With --json each has its whole configuration; with --config, that one alone is shown.")

  @OptionGroup var configuration: ConfigurationOptions

  @Flag(help: "Prints one JSON object on standard output and nothing else there.")
  var json = false

  func invocation() throws -> Invocation {
    var job = RecipesJob()
    job.configurationFiles = configuration.files
    job.overrides = configuration.overrides
    job.json = json
    return .job(job, json: json)
  }
}
