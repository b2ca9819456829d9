"""Farms of real processes whose parts are killed, and the proof of what remained."""
