"""The front door: the one command line, and the demo that starts everything together."""
