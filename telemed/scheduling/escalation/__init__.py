"""The ladder that a request climbs until somebody takes it."""
