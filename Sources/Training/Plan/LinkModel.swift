/// What a message costs: the LogGP model (Alexandrov, Ionescu, Schauser and Scheiman, SPAA 1995) with one latency, a
/// share of the processor for each message, and a bandwidth that every rank has to itself in both directions.
package struct LinkModel: Sendable {
  /// Seconds from one rank to another, α.
  package let latency: Double
  /// Seconds that a rank is busy with each message.
  package let perMessage: Double
  /// Bytes a second, 1/β.
  package let bandwidth: Double

  package init(latency: Double, perMessage: Double, bandwidth: Double) {
    self.latency = latency
    self.perMessage = perMessage
    self.bandwidth = bandwidth
  }

  /// The link of a rank that has only one in so many parts of a core, and of the memory's bandwidth: ranks of one
  /// machine pass messages with their own processors.
  package func shared(by ranks: Double) -> LinkModel {
    LinkModel(latency: latency, perMessage: perMessage * ranks, bandwidth: bandwidth / ranks)
  }

  /// Seconds until a rank has sent messages to all others and got theirs.
  ///
  /// - Parameter bytes: what it sends or receives in all, the larger.
  package func exchange(ranks: Int, bytes: Double, messagesPerPeer: Int = 1) -> Double {
    guard ranks > 1 else { return 0 }
    return latency + Double((ranks - 1) * messagesPerPeer) * perMessage + bytes / bandwidth
  }
}
