/// What every node of the tree over the shards is rounded to, and sent as (`train.exchange`).
public enum NodePrecision: String, CaseIterable, Sendable {
  /// Not at all: floats of 24 bits of precision, 4 bytes.
  case f32
  /// To the nearest bfloat16: 8 bits of precision, 2 bytes. The same bits on any number of ranks too.
  case bf16
}
