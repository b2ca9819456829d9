"""A process that owns one device and renders."""
