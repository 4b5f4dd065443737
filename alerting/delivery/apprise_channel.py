"""Mail, chat, text messages and a hundred more through apprise, by an address.

Apprise has 200 services and takes seconds to load: that is paid where a message is sent.
"""

import logging
from contextvars import ContextVar
from typing import Literal

from pydantic import Field
from sqlalchemy import URL

from alerting.delivery import message_text
from alerting.delivery.channels import Channel, ChannelsError, Secret
from alerting.delivery.secrets import scrubbed
from alerting.delivery.sending import Delivery, Sender, SendError
from bus.messages import AlarmPhase
from ecg.urgency import AlarmPriority
from ops.clock import Clock

# Apprise's names.
TYPES: dict[AlarmPriority, str] = {"high": "failure", "medium": "warning", "low": "info", "information": "info"}


class AppriseChannel(Channel):
    """Mail, chat, text messages and a hundred more, by an address of apprise.

    People are told of alarms that sound, when they start and when nobody comes, unless the file says otherwise.
    """

    kind: Literal["apprise"]
    url: Secret
    min_priority: AlarmPriority = "medium"
    phases: frozenset[AlarmPhase] = Field(default=frozenset({"start", "escalate"}), min_length=1)

    def sender(self, name: str, *, clock: Clock, database: URL) -> Sender:  # noqa: ARG002 # it needs neither
        """Return what sends messages in words."""
        return AppriseSender(name, self)


class AppriseSender:
    """Sends messages in words.

    Raises
    ------
    ChannelsError : when apprise knows no such address
    """

    def __init__(self, name: str, channel: AppriseChannel) -> None:
        from apprise import Apprise, NotifyBase, NotifyFormat  # noqa: PLC0415 # see the module

        # Both log addresses with all that is in them, apprise even as an error when it does not understand one.
        logging.getLogger("apprise").addFilter(_LOG_CAPTURE)
        logging.getLogger("urllib3").setLevel(logging.ERROR)
        self._url = channel.url.get_secret_value()
        service = Apprise.instantiate(self._url, suppress_exceptions=True)
        if not isinstance(service, NotifyBase):
            scheme, there, _ = self._url.partition("://")
            raise ChannelsError(f"channels.{name}.url {_why_none(scheme if there else None)}")
        service.socket_connect_timeout = channel.timeout_s
        service.socket_read_timeout = channel.timeout_s
        service.notify_format = NotifyFormat.TEXT
        self._service = service
        self._name = str(service.service_name)

    def send(self, delivery: Delivery) -> None:
        """Send a message. Most services know no key: after a crash one may come twice."""
        from apprise import NotifyType  # noqa: PLC0415 # see the module

        alert = delivery.alert()
        said: list[str] = []
        _SAID.set(said)
        # Of the service itself: ``Apprise.notify`` has one pool of threads for all, which slow ones fill.
        taken = self._service.notify(
            title=message_text.title(alert),
            body=message_text.body(alert),
            notify_type=NotifyType(TYPES[alert.priority]),
        )
        if not taken:
            why = scrubbed("; ".join(said), self._url) or "it does not say why"
            raise SendError(f"{self._name} did not take it: {why}")

    def close(self) -> None:
        """Nothing is kept open."""


def _why_none(scheme: str | None) -> str:
    """Return the reason why apprise does not take an address, of which only the scheme is not secret."""
    from apprise.manager_plugins import NotificationManager  # noqa: PLC0415 # see the module

    if scheme is None:
        return "has no scheme: write it as apprise's list of services does, like mailto://user:password@host"
    if scheme not in NotificationManager():  # type: ignore[no-untyped-call] # apprise has types, this part has none
        return f"has the scheme {scheme!r:.40}, which apprise does not know: see its list of services"
    return f"has the scheme {scheme!r:.40}, but not what belongs behind it: see apprise's page on that service"


class _LogCapture(logging.Filter):
    """Keeps what apprise logs out of every log, and its warnings for who called it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let nothing through."""
        if record.levelno >= logging.WARNING:
            _SAID.get([]).append(record.getMessage())
        return False


_LOG_CAPTURE = _LogCapture()
# Of the call that is under way: each channel's thread has its own.
_SAID: ContextVar[list[str]] = ContextVar("said")
