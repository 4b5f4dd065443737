"""Secrets of the channels file: written there, or named by where they are; never told."""

import os
import re
from urllib.parse import unquote, urlsplit

from ops.secret_files import read_secret

SHORTEST = 4  # characters: what is shorter hides nothing, and would blacken half of a message
_PARTS = re.compile(r"[/?&=;,:@#+\s]+")


def resolved(named: str) -> str:
    """A secret: ``env:NAME`` is the variable's value, ``file:/path`` the file's text, anything else itself.

    Raises
    ------
    ValueError : when there is no such variable or file, or it is empty
    """
    if named.startswith("env:"):
        name = named.removeprefix("env:")
        found = os.environ.get(name, "")
        if not found:
            raise ValueError(f"the environment has no {name}, or it is empty: set it")
        return found
    if not named:
        raise ValueError("it is empty: write the secret, env:NAME or file:/path")
    return read_secret(named)


def scrubbed(text: str, *secrets: str) -> str:
    """A text without any part of the secrets in it.

    Parameters
    ----------
    text : what somebody else said
    secrets : passwords, or URLs, every part of which may be one: a chat service's token is its path
    """
    hidden = set()
    for secret in secrets:
        hidden |= {secret, unquote(secret)}
        for part in _PARTS.split(secret):
            hidden |= {part, unquote(part)}
    for each in sorted((part for part in hidden if len(part) >= SHORTEST), key=len, reverse=True):
        text = text.replace(each, "***")
    return text


def server_of(url: str) -> str:
    """The part of an HTTP address that is not secret: scheme, host and port."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
