"""A mail catcher in the place of the compose file's: what alerting and Alertmanager send as shipped arrives in it."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Mailbox:
    """An SMTP server that keeps what it is sent."""

    def __init__(self, host: str) -> None:
        self._mails: list[EmailMessage] = []
        self._controller = Controller(self, hostname=host, port=1025)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self._mails.append(mail)
        return "250 OK"

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self._mails]

    def texts(self) -> list[str]:
        return [str(part.get_content()) for mail in self._mails if (part := mail.get_body(("plain",))) is not None]

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()
