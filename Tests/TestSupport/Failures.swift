import Diagnostics
import Testing

/// The failure that ends `body`; `nil` if it ends well, or with another kind of error.
package func failure(_ body: () throws -> Void) -> Failure? {
  do {
    try body()
    return nil
  } catch {
    return error as? Failure
  }
}

/// Expects a failure of one kind whose one line says `words`.
package func expectFailure<Value>(
  _ kind: Failure.Kind = .badData, saying words: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Value
) {
  do {
    let value = try body()
    Issue.record("no failure but \(value)", sourceLocation: sourceLocation)
  } catch let failure as Failure {
    #expect(failure.kind == kind, sourceLocation: sourceLocation)
    #expect(failure.message.contains(words), "\(failure.message)", sourceLocation: sourceLocation)
    #expect(!failure.message.contains("\n"), sourceLocation: sourceLocation)
  } catch {
    Issue.record("an error that is no Failure: \(error)", sourceLocation: sourceLocation)
  }
}
