"""Draws ECG strips as on paper, and puts verdicts and recordings into reports that people read."""
