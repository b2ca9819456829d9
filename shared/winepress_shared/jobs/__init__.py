"""The jobs that a producer can submit, and their checks.

A module that defines a job kind is imported here, so that every program knows every kind.
"""

from winepress_shared.jobs.zoom import ZoomVideo as ZoomVideo
