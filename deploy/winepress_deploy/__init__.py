"""A whole farm on one machine."""
