"""The jobs that a producer can submit, and their checks."""
