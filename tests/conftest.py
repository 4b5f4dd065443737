"""Fixtures for every room."""

import os

import hypothesis

pytest_plugins = ["tests.support.kafka"]

# No test judges time: a machine may be slow, and the first call of a filter designs it. On CI a change is judged by
# the same examples each time; anywhere else new ones are tried.
hypothesis.settings.register_profile("ecgstream", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("ecgstream")
