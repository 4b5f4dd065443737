"""The one root of every error that ecgstream raises on purpose."""


class EcgStreamError(Exception):
    """Something that the caller can mend: the message gives the value, the limit and the remedy."""
