"""The channels file: where alarms are delivered to, and which of them (TOML)."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args
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
from pydantic import field_validator as validated

from alerting.delivery.secrets import resolved
from bus.messages import AlarmKind, AlarmPhase, Alert
from ecg.errors import EcgStreamError
from ecg.urgency import PRIORITY_RANK, AlarmPriority

VARIABLE = "ECGSTREAM_ALERTING_CHANNELS"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
PHASES: frozenset[AlarmPhase] = frozenset(get_args(AlarmPhase))
KINDS: frozenset[AlarmKind] = frozenset(get_args(AlarmKind))
SHORTEST_SECRET = 16  # characters: a shorter key of an HMAC can be guessed


class ChannelsError(EcgStreamError):
    """Channels that cannot be used; no secret is told."""


def _http(url: SecretStr) -> SecretStr:
    parts = urlsplit(url.get_secret_value())
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is no address of a server: write https://host/path")
    return url


def _resolved(named: object) -> object:
    return resolved(named) if isinstance(named, str) else named


Secret = Annotated[SecretStr, BeforeValidator(_resolved)]
HttpUrl = Annotated[Secret, AfterValidator(_http)]


class Channel(BaseModel):
    """What every channel has. Times are of the wall clock, s.

    Attributes
    ----------
    min_priority, phases, kinds : which messages it takes
    per_minute : at most so many calls a minute, after a quiet minute all at once; others wait, in order; None for any
    timeout_s : a call that takes longer has failed
    retry_s, retry_max_s : the wait after the first failure, doubled after each further one, and its most
    give_up_s, give_up_attempts : a message older than that, or tried so often, is dead
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

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
        """Whether a message is for it."""
        return (
            PRIORITY_RANK[alert.priority] <= PRIORITY_RANK[self.min_priority]
            and alert.phase in self.phases
            and alert.kind in self.kinds
        )


class AppriseChannel(Channel):
    """Mail, chat, text messages and a hundred more, by an address of apprise.

    People are told of alarms that sound, when they start and when nobody comes, unless the file says otherwise.
    """

    kind: Literal["apprise"]
    url: Secret
    min_priority: AlarmPriority = "medium"
    phases: frozenset[AlarmPhase] = Field(default=frozenset({"start", "escalate"}), min_length=1)


class WebhookChannel(Channel):
    """Each message as JSON to a program of somebody's, signed with a key that both know.

    Attributes
    ----------
    ca_file : certificates to trust instead of the system's
    """

    kind: Literal["webhook"]
    url: HttpUrl
    secret: Secret
    ca_file: Path | None = None

    @validated("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"it has fewer than {SHORTEST_SECRET} characters: take a longer one, at random")
        return secret


class FhirChannel(Channel):
    """Each alarm as a FHIR R4 Observation: to a server, or to a file of lines (NDJSON).

    Attributes
    ----------
    url : the server's base address
    file : or the file, which need not exist
    token : sent to the server as bearer token
    ca_file : certificates to trust instead of the system's
    """

    kind: Literal["fhir"]
    url: HttpUrl | None = None
    file: Path | None = None
    token: Secret | None = None
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _goes_somewhere(self) -> Self:
        if (self.url is None) == (self.file is None):
            raise ValueError("name a server with url, or a file with file: not both, not neither")
        if self.file is not None and (self.token or self.ca_file):
            raise ValueError("token and ca_file are for a server: leave them out with file")
        return self


AnyChannel = Annotated[AppriseChannel | WebhookChannel | FhirChannel, Field(discriminator="kind")]
Channels = Mapping[str, AppriseChannel | WebhookChannel | FhirChannel]
NONE: Channels = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    channels: dict[str, AnyChannel] = Field(default_factory=dict)

    @validated("channels")
    @classmethod
    def _named(cls, channels: dict[str, AnyChannel]) -> dict[str, AnyChannel]:
        for name in channels:
            if not NAME.fullmatch(name):
                raise ValueError(f"{name!r:.80} is no name of a channel: take up to 64 letters, digits, - and _")
        return channels


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
        raise ChannelsError(f"the channels {path} are no TOML {place[0] if place else ''}: correct the file") from None
    try:
        return _File.model_validate(found).channels
    except ValidationError as error:
        raise ChannelsError(f"the channels {path} cannot be used: {_told(error)}") from None


def _told(error: ValidationError) -> str:
    """The first thing that is wrong: where, its limit and what to do; its value may be a secret."""
    first: Any = error.errors(include_url=False, include_input=False, include_context=False)[0]
    kinds = {"apprise", "webhook", "fhir"}
    # A table's kind stands in the place behind the channel's name; it is none of its keys.
    place = ".".join(str(part) for at, part in enumerate(first["loc"]) if not (at == 2 and part in kinds))
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        return f"{place} is no setting of it: correct or remove it"
    if first["type"] == "missing":
        return f"{place} is missing: add it"
    if first["type"].startswith("union_tag"):
        return f"{place}.kind is missing or none that there is: write apprise, webhook or fhir"
    return f"{place}: {message[:1].lower() + message[1:]}" + ("" if first["type"] == "value_error" else ": correct it")
