"""Fixtures for every room."""

import hypothesis

pytest_plugins = ["tests.support.kafka"]

# No test judges time: a machine may be slow, and the first call of a filter designs it.
hypothesis.settings.register_profile("ecgstream")
hypothesis.settings.load_profile("ecgstream")
