"""Samples in, verdicts out: ring buffers, windows, the models, and the service that runs them."""
