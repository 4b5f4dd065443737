"""Failures as whoever called a command reads them: in one line."""

import sys


def complain(error: BaseException) -> None:
    """Tell an error on standard error, as one line."""
    sys.stderr.write(f"ecgstream: {one_line(error)}\n")


def shown(text: str) -> str:
    """Text that a terminal only shows: what is no letter to it, as a file's name may hold, stands as its code."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def one_line(error: BaseException) -> str:
    """An error as one line.

    Parameters
    ----------
    error : what went wrong; the first of an exception group stands for all
    """
    from ecg.errors import EcgStreamError

    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = shown(" ".join(str(error).split()))
    if isinstance(error, EcgStreamError):
        return text
    return f"{type(error).__name__}: {text or 'no more is known'}: run it again with --debug to see where"
