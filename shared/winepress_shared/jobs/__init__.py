"""What a producer may ask for, and how it is checked.

A module that defines a job kind is imported here, so that every program knows every kind.
"""

from winepress_shared.jobs.zoom import ZoomVideo as ZoomVideo
