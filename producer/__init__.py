"""Replays recordings as live patients into the samples topic, and injects what goes wrong in life."""
