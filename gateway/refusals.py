"""Reasons why a device's chunk or connection is refused, for programs and for people. Pure."""

from http import HTTPStatus
from typing import Literal, get_args

from bus.samples import Chunk
from ecg.errors import EcgStreamError

RefusalReason = Literal[
    "malformed",  # no chunk, or one that contradicts itself
    "token",  # none, an unknown one, or one that has expired
    "patient",  # the device's token is not for that patient
    "device",  # the chunk names another device than the token
    "clock",  # the device's clock says what cannot be, or what is too long ago
    "too_large",
    "budget",  # more bytes or samples than a device may send
    "connections",  # more than a device may hold
]
REASONS: tuple[str, ...] = get_args(RefusalReason)
_STATUS: dict[str, HTTPStatus] = {
    "token": HTTPStatus.UNAUTHORIZED,
    "patient": HTTPStatus.FORBIDDEN,
    "device": HTTPStatus.FORBIDDEN,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "budget": HTTPStatus.TOO_MANY_REQUESTS,
    "connections": HTTPStatus.TOO_MANY_REQUESTS,
}


class RefusedError(EcgStreamError):
    """A chunk or a connection that is not taken; sent again as it is, it would be refused again.

    Attributes
    ----------
    code : why
    wait_s : after which a device may try again, s; None where that does not help
    """

    def __init__(self, code: RefusalReason, detail: str, *, wait_s: float | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.wait_s = wait_s

    @property
    def status(self) -> HTTPStatus:
        """HTTP's status of it."""
        return _STATUS.get(self.code, HTTPStatus.UNPROCESSABLE_ENTITY)


def check_time(chunk: Chunk, now_ns: int, *, future_s: float, past_s: float) -> None:
    """Refuse a chunk whose time cannot be, or is long over.

    Parameters
    ----------
    now_ns : the gateway's time, ns UTC
    future_s, past_s : how far the chunk's end may be ahead of it, and its start behind, s

    Raises
    ------
    RefusedError : when it is
    """
    ahead_s = (chunk.end_ns - now_ns) / 1e9
    if ahead_s > future_s:
        raise RefusedError(
            "clock",
            f"the chunk ends {ahead_s:.3f} s from now, at most {future_s:g} s are taken for a clock's error: set the "
            "device's clock, and send no sample before it was taken",
        )
    behind_s = (now_ns - chunk.start_ns) / 1e9
    if behind_s > past_s:
        raise RefusedError(
            "clock",
            f"the chunk began {behind_s:.0f} s ago, at most {past_s:g} s (ECGSTREAM_GATEWAY_PAST_S) are taken: set the "
            "device's clock, or score older recordings as files with 'ecgstream score'",
        )
