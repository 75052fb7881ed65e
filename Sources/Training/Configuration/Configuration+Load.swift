import Diagnostics
import Foundation

extension Configuration {
  /// Reads a configuration: `overrides` beat the file, which beats `defaults`.
  ///
  /// - Parameters:
  ///   - file: a YAML file, or `nil` for none.
  ///   - overrides: `key=value` with dotted keys, as `--set` takes them; the last of a key wins.
  ///   - defaults: what keys have that neither names.
  /// - Throws: `Failure` with the file and line or the `--set`, the key, what was expected and what was
  ///   found; for an unknown key, the nearest known one.
  public static func load(
    file: String?, overrides: [String] = [], defaults: Configuration = Configuration()
  ) throws -> Configuration {
    var reader = ConfigurationReader(configuration: defaults)
    if let file { try reader.read(yaml: contents(of: file), named: file) }
    for override in overrides { try reader.apply(override: override) }
    try reader.checkTogether()
    return reader.configuration
  }

  /// Reads a configuration from YAML text; `name` stands for the file in messages.
  public static func parse(
    yaml: String, name: String = "configuration", defaults: Configuration = Configuration()
  ) throws -> Configuration {
    var reader = ConfigurationReader(configuration: defaults)
    try reader.read(yaml: yaml, named: name)
    try reader.checkTogether()
    return reader.configuration
  }

  private static func contents(of file: String) throws -> String {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: file, isDirectory: &isDirectory) else {
      throw Failure(.missingInput, "\(file): there is no such configuration file")
    }
    guard !isDirectory.boolValue else {
      throw Failure(.usage, "\(file): expected a configuration file, found a folder")
    }
    guard let data = FileManager.default.contents(atPath: file) else {
      throw Failure(.inputOutput, "\(file): the configuration file cannot be read")
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw Failure(.usage, "\(file): expected a YAML file in UTF-8")
    }
    return text
  }
}
