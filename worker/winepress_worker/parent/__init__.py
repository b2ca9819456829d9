"""The small process that owns a worker: it beats, supervises its renderer and serves the farm."""
