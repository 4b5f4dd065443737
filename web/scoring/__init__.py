"""Scoring what people send: taken in with suspicion, judged in processes of its own, kept for a while."""
