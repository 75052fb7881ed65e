import Diagnostics
import TensorFiles

/// A JSON file whose failures name the file and the key.
struct JSONFile {
  let path: String
  let root: JSON

  init(reading path: String) throws {
    self.path = path
    root = try JSON.read(path: path)
    guard root.object != nil else { throw Failure(.badData, "\(path) must hold a JSON object") }
  }

  /// "`path`: `key` `complaint`".
  func failure(_ key: String, _ complaint: String) -> Failure {
    Failure(.badData, "\(path): \(key) \(complaint)")
  }

  /// The members of the object under a top-level key, in the file's order.
  func object(_ key: String) throws -> JSONObject {
    guard let members = root[key]?.object else { throw failure(key, "must be an object") }
    return members
  }

  /// The list under a top-level key.
  func array(_ key: String) throws -> [JSON] {
    guard let list = root[key]?.array else { throw failure(key, "must be a list") }
    return list
  }
}
