"""From recordings to the shipped models, and what they are worth on patients they have never seen."""
