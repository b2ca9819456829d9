"""What producers and workers agree on; imports neither."""

__version__ = "0.1.0"
