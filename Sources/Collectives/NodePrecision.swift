/// What every node of the tree over the shards is rounded to, and sent as.
public enum NodePrecision: Sendable {
  /// Not at all: 24 bits of precision, 4 bytes.
  case float32
  /// To the nearest bfloat16: 8 bits of precision, 2 bytes.
  case bfloat16
}
