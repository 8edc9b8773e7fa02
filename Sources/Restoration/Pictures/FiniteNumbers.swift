import ModelFiles

/// Refuses what networks make whose weights are broken, or too large for the precision: a decoder
/// may make a picture of it that looks like one.
/// - Parameter place: where in the stream it comes from.
func requireFinite(_ values: [Float], _ place: String) throws {
  let largest = Float.greatestFiniteMagnitude
  // Counted, because sums of numbers have an order, and take one after the other.
  let others = values.withUnsafeBufferPointer {
    $0.reduce(0 as Int32) { $0 &+ ($1.magnitude <= largest ? 0 : 1) }
  }
  guard others == 0 else {
    throw ModelError(
      "\(place): expected finite numbers from the model's networks, found others: its weights are broken, or too large "
        + "for the precision; copy the model again, or give --precision f32")
  }
}
