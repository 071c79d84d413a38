"""What holds for every test."""

import os

from hypothesis import settings

# No deadline: this says nothing about speed, and shared machines stall. The same examples each time where the
# result decides whether a change lands; fresh ones everywhere else.
settings.register_profile("trouper", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("trouper")
