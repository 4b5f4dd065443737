"""Calls over HTTP, and what an answer means for a delivery."""

import logging
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path

import httpx

from alerting.delivery.channels import ChannelsError
from alerting.delivery.secrets import scrubbed, server_of
from alerting.delivery.sending import ChannelDownError, RefusedMessageError, SendError

LONGEST_REST_S = 3600.0  # who asks to be left alone for longer is asked again all the same
# They may pass; they speak of this message alone. 409: the same key is under way (draft-ietf-httpapi-idempotency-key).
_PASSING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY})
# They speak of the address or the key, not of the message: somebody will mend that, and nothing must be lost meanwhile.
_OF_CHANNEL = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.PROXY_AUTHENTICATION_REQUIRED,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class HttpCaller:
    """Calls one address.

    Parameters
    ----------
    url : where to; may hold secrets
    secrets : other texts that no error may tell
    timeout_s : of each wait, s
    ca_file : certificates to trust instead of the system's

    Raises
    ------
    ChannelsError : when the certificates cannot be read
    """

    def __init__(self, url: str, *, secrets: tuple[str, ...], timeout_s: float, ca_file: Path | None) -> None:
        # At its level INFO it tells every address with all that is in it.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        logging.getLogger("httpcore").setLevel(logging.WARNING)
        self._url = url
        self._secrets = (url.split("://", 1)[-1].partition("/")[2], *_user_of(url), *secrets)
        try:
            trusted = ssl.create_default_context(cafile=ca_file) if ca_file else True
        except OSError as error:
            raise ChannelsError(f"ca_file {ca_file} cannot be used ({error.strerror}): name a PEM file") from None
        self._client = httpx.Client(timeout=timeout_s, verify=trusted, follow_redirects=False)

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    def call(self, method: str, url: str, *, body: bytes, headers: Mapping[str, str]) -> None:
        """Call, and see that it was taken.

        Raises
        ------
        SendError : when it was not, or nobody knows
        """
        try:
            with self._client.stream(method, url, content=body, headers=dict(headers)) as answer:
                status, rest = answer.status_code, answer.headers.get("Retry-After")
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, OSError) as error:
            why = scrubbed(str(error), *self._secrets) or type(error).__name__
            raise ChannelDownError(f"{server_of(self._url)} does not answer: {why}") from None
        judge_answer(status, retry_after=rest, server=server_of(self._url))


def judge_answer(status: int, *, retry_after: str | None, server: str) -> None:
    """Nothing when a status says that the call was taken.

    Parameters
    ----------
    status : of the answer
    retry_after : its header of that name, if any
    server : whose answer, for the error

    Raises
    ------
    RefusedMessageError : when this message will never be taken
    ChannelDownError : when no message would be taken now
    SendError : when this message may be taken later
    """
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    said = f"{server} answers {status}"
    if status in _OF_CHANNEL or HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        raise ChannelDownError(said, retry_after_s=_seconds(retry_after))
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.OK:
        raise SendError(said)
    raise RefusedMessageError(said)


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds that ``Retry-After`` asks for, as number or date; None for none that can be understood."""
    if retry_after is None:
        return None
    number = retry_after.isascii() and retry_after.isdecimal()
    try:
        asked_s = float(retry_after) if number else _until_s(parsedate_to_datetime(retry_after))
    except ValueError:
        return None
    return min(max(asked_s, 0.0), LONGEST_REST_S)


def _until_s(when: datetime) -> float:
    return ((when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()


def _user_of(url: str) -> tuple[str, ...]:
    user, at, _ = url.split("://", 1)[-1].partition("/")[0].rpartition("@")
    return (user,) if at else ()
