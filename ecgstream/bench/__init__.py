"""Measurements of the running system, and what kills parts of it on purpose."""
