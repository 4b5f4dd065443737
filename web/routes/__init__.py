"""Routes of the interface, one file per subject."""
