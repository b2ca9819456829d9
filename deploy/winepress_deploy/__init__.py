"""Runs a whole farm on one machine."""
