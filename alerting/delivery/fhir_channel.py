"""Alarms as FHIR resources, put to a server or appended to a file. Their models are loaded where one is made."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator
from sqlalchemy import URL

from alerting.database.engine import explained, open_engine
from alerting.delivery.channels import Channel, HttpUrl, Secret
from alerting.delivery.http import HttpCaller
from alerting.delivery.sending import ChannelDownError, Delivery, Sender
from alerting.delivery.signature import KEY_HEADER
from alerting.strips.store import read_strip
from ops.clock import Clock

if TYPE_CHECKING:
    from fhir.resources.R4B.observation import Observation

BEGINNING = b'{"resourceType":"Observation"'
LOOKED_BACK = 1 << 20  # bytes at a file's end that are searched for a line that a crash kept from being noted


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

    def sender(self, name: str, *, clock: Clock, database: URL) -> Sender:  # noqa: ARG002 # FHIR needs neither
        """Return what puts resources to the server, or appends them to the file."""
        if self.url is not None:
            return FhirServerSender(self.url.get_secret_value(), self, database)
        assert self.file is not None  # noqa: S101 # one of the two was checked
        return FhirFileSender(self.file, database)


class _Resources:
    """The resource of each message, with the alarm's strip as soon as there is one: with its later messages, mostly."""

    def __init__(self, database: URL) -> None:
        self._database = database
        self._engine = open_engine(database, read_only=True)

    def of(self, delivery: Delivery) -> "Observation":
        from alerting.fhir import observation_of  # noqa: PLC0415 # see the module

        alert = delivery.alert()
        with explained(self._database), self._engine.begin() as connection:
            strip = read_strip(connection, delivery.alarm)
        return observation_of(alert, strip)

    def close(self) -> None:
        self._engine.dispose()


class FhirServerSender:
    """Puts each alarm to a server: one resource for its life, whose versions are its messages."""

    def __init__(self, url: str, channel: FhirChannel, database: URL) -> None:
        self._resources = _Resources(database)
        token = channel.token.get_secret_value() if channel.token else None
        self._base = url.rstrip("/")
        self._headers = {
            "Content-Type": "application/fhir+json",
            "Accept": "application/fhir+json",
            "Prefer": "return=minimal",
            "User-Agent": "ecgstream",
        } | ({"Authorization": f"Bearer {token}"} if token else {})
        self._caller = HttpCaller(
            url, secrets=() if token is None else (token,), timeout_s=channel.timeout_s, ca_file=channel.ca_file
        )

    def send(self, delivery: Delivery) -> None:
        """Put the alarm as it stands: the same put twice is the same."""
        resource = self._resources.of(delivery)
        self._caller.call(
            "PUT",
            f"{self._base}/Observation/{resource.id}",
            body=resource.model_dump_json().encode(),
            headers=self._headers | {KEY_HEADER: delivery.key},
        )

    def close(self) -> None:
        """Let go of its connections."""
        self._caller.close()
        self._resources.close()


class FhirFileSender:
    """Appends each message as a line (NDJSON). The file may be moved away at any time: a new one is begun."""

    def __init__(self, path: Path, database: URL) -> None:
        self._path = path
        self._resources = _Resources(database)

    def send(self, delivery: Delivery) -> None:
        """Append the message, on the disk when this returns; a line that is there already stays alone.

        Raises
        ------
        RefusedMessageError : when another release wrote the message
        ChannelDownError : when the file cannot be written
        """
        from fhir.resources.R4B.meta import Meta  # noqa: PLC0415 # see the module

        from alerting.fhir import DELIVERIES  # noqa: PLC0415 # see the module

        resource = self._resources.of(delivery)
        resource.meta = Meta.model_validate({"tag": [{"system": DELIVERIES, "code": delivery.key}]})
        line = resource.model_dump_json().encode() + b"\n"
        tag = f'"{delivery.key}"'.encode()
        try:
            with os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
                end = file.seek(0, os.SEEK_END)
                file.seek(max(0, end - LOOKED_BACK))
                tail = file.read()
                whole = tail[: tail.rfind(b"\n") + 1]
                cut = tail[len(whole) :]
                if not (BEGINNING.startswith(cut) or cut.startswith(BEGINNING)):
                    raise ChannelDownError(f"{self._path} holds something else: name a file of its own")
                file.truncate(end - len(cut))  # what a crash cut off in the middle
                if tag not in whole:
                    file.seek(0, os.SEEK_END)
                    file.write(line)
                    file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ChannelDownError(f"{self._path} cannot be written: {error.strerror}") from None

    def close(self) -> None:
        """Let go of its connections."""
        self._resources.close()
