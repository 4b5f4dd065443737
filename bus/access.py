"""The list of rights on Kafka, ``access.toml``: what each user may do, and no more."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from bus.settings import KafkaSettings

EVERYWHERE = "*"  # the host: a user's password counts, not where it is used


class Resource(IntEnum):
    """Kinds of things that rights are about, as Kafka numbers them."""

    TOPIC = 2
    GROUP = 3
    TRANSACTIONAL_ID = 5


class Operation(IntEnum):
    """Operations as Kafka numbers them; each of these lets a user see the thing as well."""

    READ = 3
    WRITE = 4


class Pattern(IntEnum):
    """Ways in which the name of a thing is meant, as Kafka numbers them."""

    LITERAL = 3
    PREFIXED = 4


class Right(NamedTuple):
    """A user's right to an operation; numbers as Kafka has them, which may be others than are used here."""

    user: str
    resource: int
    name: str
    pattern: int
    operation: int

    def __str__(self) -> str:
        """The right as a line."""
        kind = Resource(self.resource).name.lower().replace("_", " ") if self.resource in list(Resource) else "thing"
        operation = Operation(self.operation).name.lower() if self.operation in list(Operation) else "another operation"
        every = "every " if self.pattern == Pattern.PREFIXED else ""
        return f"{self.user}: {operation} {every}{kind} {self.name}"


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Rights of a user, by names without an installation's prefix."""

    read: tuple[str, ...]
    write: tuple[str, ...]
    groups: tuple[str, ...]
    transactions: tuple[str, ...]


def access() -> Mapping[str, Access]:
    """Return what each user may do."""
    listed = tomllib.loads(files("bus").joinpath("access.toml").read_text(encoding="utf-8"))
    return {user: Access(**_Entry.model_validate(entry).model_dump()) for user, entry in listed.items()}


def rights(settings: KafkaSettings) -> frozenset[Right]:
    """Return every right of every user on an installation's cluster."""
    found = set()
    prefix = settings.topic_prefix
    for user, may in access().items():
        for names, resource, pattern, operation in (
            (may.read, Resource.TOPIC, Pattern.LITERAL, Operation.READ),
            (may.write, Resource.TOPIC, Pattern.LITERAL, Operation.WRITE),
            (may.groups, Resource.GROUP, Pattern.LITERAL, Operation.READ),
            (may.transactions, Resource.TRANSACTIONAL_ID, Pattern.PREFIXED, Operation.WRITE),
        ):
            found |= {Right(prefix + user, resource, prefix + name, pattern, operation) for name in names}
    return frozenset(found)
