"""Settings of the property tests: no deadlines, because the machine may be busy with others."""

from hypothesis import settings

settings.register_profile("winepress", deadline=None)
settings.load_profile("winepress")
