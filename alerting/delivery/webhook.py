"""Webhooks: a message as JSON to a program of somebody's, signed."""

from pathlib import Path
from typing import Literal

from pydantic import SecretStr, field_validator
from sqlalchemy import URL

from alerting.delivery.channels import Channel, HttpUrl, Secret
from alerting.delivery.http import HttpCaller
from alerting.delivery.sending import Delivery, Sender
from alerting.delivery.signature import KEY_HEADER, PUBLISHED_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from ops.clock import Clock

SHORTEST_SECRET = 16  # characters: a shorter key of an HMAC can be guessed


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

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr) -> SecretStr:
        if len(secret.get_secret_value()) < SHORTEST_SECRET:
            raise ValueError(f"it has fewer than {SHORTEST_SECRET} characters: take a longer one, at random")
        return secret

    def sender(self, name: str, *, clock: Clock, database: URL) -> Sender:  # noqa: ARG002 # it needs neither
        """Return what posts messages."""
        return WebhookSender(self, clock=clock)


class WebhookSender:
    """Posts messages."""

    def __init__(self, channel: WebhookChannel, *, clock: Clock) -> None:
        self._url = channel.url.get_secret_value()
        self._secret = channel.secret.get_secret_value()
        self._clock = clock
        self._caller = HttpCaller(
            self._url, secrets=(self._secret,), timeout_s=channel.timeout_s, ca_file=channel.ca_file
        )

    def send(self, delivery: Delivery) -> None:
        """Post a message; each attempt is signed anew, its key stays."""
        body = delivery.message.encode()
        timestamp_s = self._clock.now_ns() // 1_000_000_000
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ecgstream",
            KEY_HEADER: delivery.key,
            PUBLISHED_HEADER: str(delivery.published_ns),
            TIMESTAMP_HEADER: str(timestamp_s),
            SIGNATURE_HEADER: sign(self._secret, timestamp_s=timestamp_s, body=body),
        }
        self._caller.call("POST", self._url, body=body, headers=headers)

    def close(self) -> None:
        """Let go of its connections."""
        self._caller.close()
