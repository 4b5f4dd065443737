"""Static tokens: who may come with which, read from a TOML file that holds their hashes and no token.

Each entry of the file is a table ``[[...]]`` of a service's own model, with these keys at least::

    name = "night shift"
    sha256 = "5e88..."      # of the token
    expires = 2027-01-31    # may be left out: the last day on which it counts, UTC
"""

import hashlib
import json
import secrets
import stat
import tomllib
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ecg.errors import EcgStreamError
from ops.validation import first_error

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
    name : of the person, program or device
    sha256 : of the token, hexadecimal
    expires : the last day on which it counts, UTC; None means no end
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    expires: date | None = None

    def counts(self, now_ns: int) -> bool:
        """Return whether it counts at a time, ns UTC."""
        return self.expires is None or datetime.fromtimestamp(now_ns / 1e9, UTC).date() <= self.expires

    def written(self, table: str) -> str:
        """The entry as it stands in the file.

        Parameters
        ----------
        table : name of the file's tables
        """
        # TOML escapes a text without control characters as JSON does, and writes lists of such alike.
        fields = self.model_dump(mode="json", exclude={"expires"})
        lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
        if self.expires is not None:
            lines.append(f"expires = {self.expires.isoformat()}")
        return "\n".join((f"[[{table}]]", *lines)) + "\n"


Entry = TypeVar("Entry", bound=TokenEntry)


class Tokens(Generic[Entry]):
    """The tokens that count."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        # How long a look into a dict takes tells at most something of a SHA-256, and nobody can aim at one.
        self._by_hash = {entry.sha256: entry for entry in entries}
        self._by_name = {entry.name: entry for entry in entries}

    def find(self, token: str, *, now_ns: int) -> Entry | None:
        """Return the owner of a token; None when there is none.

        Parameters
        ----------
        token : as it was sent
        now_ns : the time, ns UTC
        """
        return self.entry(hash_of(token), now_ns=now_ns) if len(token) <= LONGEST else None

    def entry(self, sha256: str, *, now_ns: int) -> Entry | None:
        """The entry of a token by its SHA-256; None when it counts no more."""
        found = self._by_hash.get(sha256)
        return found if found is not None and found.counts(now_ns) else None

    def named(self, name: str, *, now_ns: int) -> Entry | None:
        """The entry of a name; None when it counts no more."""
        found = self._by_name.get(name)
        return found if found is not None and found.counts(now_ns) else None


def new_token() -> str:
    """A fresh token."""
    return PREFIX + secrets.token_urlsafe(BYTES)


def hash_of(token: str) -> str:
    """Return the SHA-256 of a token, as the file holds it."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def read_entries(path: Path, kind: type[Entry], *, table: str, setting: str, command: str) -> tuple[Entry, ...]:
    """The entries of a file of tokens, at least one.

    Parameters
    ----------
    path : of the TOML file
    kind : the model of an entry
    table : name of the file's tables
    setting : that named the file, for what is said about it
    command : that prints entries, for what is said about it

    Raises
    ------
    TokensError : when it cannot be read, others than its owner may write it, or it says what it may not
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise TokensError(f"{path}: {reason}: correct {setting} or the file") from error
    if mode & _WRITABLE_BY_OTHERS:
        raise TokensError(
            f"{path} has mode {stat.S_IMODE(mode):04o}: whoever may write it may let anybody in: chmod 600 it"
        )
    try:
        held = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TokensError(f"{path} is not TOML: {error}: correct it") from error
    remedy = f"correct it as {command} prints it"
    tables = held.pop(table, None)
    if held:
        raise TokensError(f"{path}: {next(iter(held))} is no table [[{table}]]: {remedy}")
    if not isinstance(tables, list) or not tables:
        raise TokensError(f"{path}: {table} is not a list of tables [[{table}]]: {remedy}")
    entries = []
    for number, fields in enumerate(tables):
        try:
            entries.append(kind.model_validate(fields, strict=True))
        except ValidationError as error:
            raise TokensError(f"{path}: {table}.{number}.{first_error(error.errors())}: {remedy}") from None
    for field in ("name", "sha256"):
        value, count = Counter(getattr(entry, field) for entry in entries).most_common(1)[0]
        if count > 1:
            raise TokensError(f"{path}: two entries have the {field} {value}: each needs its own")
    return tuple(entries)
