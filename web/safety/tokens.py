"""Static tokens: who may come with which, read from a file that holds none of them.

The file is TOML. ``ecgstream web-token NAME --role ROLE`` makes a token and prints its entry::

    [[token]]
    name = "night shift"    # stands in the alarm history
    role = "responder"      # viewer, responder or admin
    sha256 = "5e88..."      # of the token
    expires = 2027-01-31    # may be left out: the last day on which it counts, UTC
"""

import hashlib
import hmac
import json
import secrets
import stat
import tomllib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ecg.errors import EcgStreamError
from ops.validation import first_error
from web.roles import Role

PREFIX = "ecgs_"  # shows what a string that lies somewhere is, to people and to secret scanners
BYTES = 32  # drawn at random: nobody guesses such a token, so that a plain SHA-256 keeps it
LONGEST = 200  # characters of a token that is looked at
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]


class TokensError(EcgStreamError):
    """A file of tokens that cannot be used."""


class TokenEntry(BaseModel):
    """Owner of a token.

    Attributes
    ----------
    name : of the person or program
    role : what they may do
    sha256 : of the token, hexadecimal
    expires : the last day on which it counts, UTC; None means no end
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    role: Role
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    expires: date | None = None

    def counts(self, now_ns: int) -> bool:
        """Return whether it counts at a time, ns UTC."""
        return self.expires is None or datetime.fromtimestamp(now_ns / 1e9, UTC).date() <= self.expires

    def written(self) -> str:
        """The entry as it stands in the file."""
        expires = f"expires = {self.expires.isoformat()}\n" if self.expires else ""
        name = json.dumps(self.name, ensure_ascii=False)  # TOML escapes a text without control characters alike
        return f'[[token]]\nname = {name}\nrole = "{self.role}"\nsha256 = "{self.sha256}"\n{expires}'


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    token: Annotated[list[TokenEntry], Field(min_length=1)]


class Tokens:
    """The tokens that count."""

    def __init__(self, entries: Sequence[TokenEntry]) -> None:
        self._entries = tuple(entries)

    def find(self, token: str, *, now_ns: int) -> TokenEntry | None:
        """Return the owner of a token; None when there is none.

        Parameters
        ----------
        token : as it was sent
        now_ns : the time, ns UTC
        """
        digest = hash_of(token) if len(token) <= LONGEST else ""
        found = None
        for entry in self._entries:  # all of them, always: how long it takes tells nothing
            if hmac.compare_digest(entry.sha256, digest):
                found = entry
        return found if found is not None and found.counts(now_ns) else None

    def entry(self, sha256: str, *, now_ns: int) -> TokenEntry | None:
        """The entry of a token that somebody signed in with, None when it counts no more."""
        return next((each for each in self._entries if each.sha256 == sha256 and each.counts(now_ns)), None)


def new_token() -> str:
    """A fresh token."""
    return PREFIX + secrets.token_urlsafe(BYTES)


def hash_of(token: str) -> str:
    """Return the SHA-256 of a token, as the file holds it."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def read_tokens(path: Path) -> Tokens:
    """The tokens of a file.

    Parameters
    ----------
    path : of the TOML file

    Raises
    ------
    TokensError : when it cannot be read, others than its owner may write it, or it says what it may not
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise TokensError(f"{path}: {reason}: correct ECGSTREAM_WEB_TOKENS or the file") from error
    if mode & _WRITABLE_BY_OTHERS:
        raise TokensError(
            f"{path} has mode {stat.S_IMODE(mode):04o}: whoever may write it may let anybody in: chmod 600 it"
        )
    try:
        file = _File.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise TokensError(f"{path} is not TOML: {error}: correct it") from error
    except ValidationError as error:
        raise TokensError(f"{path}: {first_error(error.errors())}: correct it as web-token prints it") from None
    for field in ("name", "sha256"):
        values = [getattr(entry, field) for entry in file.token]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise TokensError(f"{path}: two entries have the {field} {twice}: each needs its own")
    return Tokens(file.token)
