"""Code shared by producers and workers; imports neither."""

__version__ = "0.1.0"
