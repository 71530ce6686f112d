"""Property tests draw the same examples everywhere and do not watch the clock."""

from hypothesis import settings

settings.register_profile("mgray", deadline=None, derandomize=True, database=None)
settings.load_profile("mgray")
