"""What the interface answers, one file a subject."""
