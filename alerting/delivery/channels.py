"""The channels file: where alarms are delivered to, and which of them (TOML)."""

import re
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Self, get_args
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from sqlalchemy import URL

from alerting.delivery.secrets import resolved
from alerting.delivery.sending import Sender
from bus.messages import AlarmKind, AlarmPhase, Alert
from ecg.errors import EcgStreamError
from ecg.urgency import PRIORITY_RANK, AlarmPriority
from ops.clock import Clock
from ops.validation import limit_in

VARIABLE = "ECGSTREAM_ALERTING_CHANNELS"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PHASES: frozenset[AlarmPhase] = frozenset(get_args(AlarmPhase))
KINDS: frozenset[AlarmKind] = frozenset(get_args(AlarmKind))


class ChannelsError(EcgStreamError):
    """Channels that cannot be used; no secret is told."""


def _http(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not the address of a server: write https://host/path")
    return url


def _resolved(named: object) -> object:
    return resolved(named) if isinstance(named, str) else named


Secret = Annotated[SecretStr, BeforeValidator(_resolved)]
HttpUrl = Annotated[Secret, AfterValidator(_http)]


class Channel(BaseModel, ABC):
    """Settings of every channel, and its sender. Times are of the wall clock, s.

    Attributes
    ----------
    min_priority, phases, kinds : which messages it takes
    per_minute : at most so many calls a minute, after a quiet minute all at once; others wait, in order; None for any
    timeout_s : a call that takes longer has failed
    retry_s, retry_max_s : the wait after the first failure, doubled after each further one, and its most
    give_up_s, give_up_attempts : a message older than that, or tried so often, is dead
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: str
    min_priority: AlarmPriority = "information"
    phases: frozenset[AlarmPhase] = Field(default=PHASES, min_length=1)
    kinds: frozenset[AlarmKind] = Field(default=KINDS, min_length=1)
    per_minute: int | None = Field(default=None, ge=1, le=60_000)
    timeout_s: float = Field(default=10.0, ge=0.1, le=60.0)
    retry_s: float = Field(default=1.0, ge=0.01, le=600.0)
    retry_max_s: float = Field(default=60.0, ge=0.01, le=3600.0)
    give_up_s: float = Field(default=86_400.0, ge=1.0, le=30 * 86_400.0)
    give_up_attempts: int | None = Field(default=None, ge=1, le=1_000_000)

    @model_validator(mode="after")
    def _waits_grow(self) -> Self:
        if self.retry_max_s < self.retry_s:
            raise ValueError(f"retry_max_s={self.retry_max_s:g} is below retry_s={self.retry_s:g}: raise it")
        return self

    def takes(self, alert: Alert) -> bool:
        """Return whether a message is for it."""
        return (
            PRIORITY_RANK[alert.priority] <= PRIORITY_RANK[self.min_priority]
            and alert.phase in self.phases
            and alert.kind in self.kinds
        )

    @abstractmethod
    def sender(self, name: str, *, clock: Clock, database: URL) -> Sender:
        """Return what delivers over it.

        Parameters
        ----------
        name : as the channels file has it
        clock : for signatures
        database : of the alarm history

        Raises
        ------
        ChannelsError : when it can never deliver: an address that nobody knows, certificates that cannot be read
        """


Channels = Mapping[str, Channel]
NONE: Channels = {}


# By the kind that the file names: where its settings are, which know their sender. A kind is loaded where it is used.
KINDS_OF_CHANNEL: Mapping[str, str] = {
    "apprise": "alerting.delivery.apprise_channel:AppriseChannel",
    "webhook": "alerting.delivery.webhook:WebhookChannel",
    "fhir": "alerting.delivery.fhir_channel:FhirChannel",
}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    channels: dict[str, dict[str, Any]] = Field(default_factory=dict)


def kind_of_channel(kind: str) -> type[Channel]:
    """Return the settings of a kind of channel.

    Raises
    ------
    KeyError : when there is no such kind
    """
    module, _, name = KINDS_OF_CHANNEL[kind].partition(":")
    found: type[Channel] = getattr(import_module(module), name)
    return found


def load_channels(path: Path | None) -> Channels:
    """The channels of a file, by name.

    Parameters
    ----------
    path : TOML file; None has no channels

    Raises
    ------
    ChannelsError : when the file cannot be read, or holds what is no channel
    """
    if path is None:
        return NONE
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ChannelsError(f"the channels {path} cannot be read ({error.strerror}): correct {VARIABLE}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        # Without its cause: that quotes the line.
        place = re.search(r"\(at .*\)$", str(error))
        raise ChannelsError(f"the channels {path} are not TOML {place[0] if place else ''}: correct the file") from None
    try:
        try:
            tables = _File.model_validate(found).channels
        except ValidationError as error:
            raise ValueError(_first_fault(error)) from None
        return {name: _channel(name, table) for name, table in tables.items()}
    except ValueError as error:
        raise ChannelsError(f"the channels {path} cannot be used: {error}") from None


def _channel(name: str, table: Mapping[str, Any]) -> Channel:
    if not NAME.fullmatch(name):
        raise ValueError(f"channels: {name!r:.80} is not a channel name: take up to 64 letters, digits, - and _")
    kind = table.get("kind")
    if not isinstance(kind, str) or kind not in KINDS_OF_CHANNEL:
        *others, last = KINDS_OF_CHANNEL
        raise ValueError(f"channels.{name}.kind is missing or unknown: write {', '.join(others)} or {last}")
    try:
        return kind_of_channel(kind).model_validate(table)
    except ValidationError as error:
        raise ValueError(_first_fault(error, "channels", name)) from None


def _first_fault(error: ValidationError, *table: str) -> str:
    """The first thing that is wrong: where, its limit and what to do; its value may be a secret."""
    first: Any = error.errors()[0]
    place = ".".join(map(str, (*table, *first["loc"])))
    if first["type"] == "extra_forbidden":
        return f"{place} is not a setting of it: correct or remove it"
    if first["type"] == "missing":
        return f"{place} is missing: add it"
    return f"{place}: {limit_in(first)}" + ("" if first["type"] == "value_error" else ": correct it")
