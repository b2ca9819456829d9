"""The worker: owns one device and renders on it."""
