"""Messages that could not be decoded: put aside with their reason, unless there are too many of them."""

from base64 import b64encode
from collections import deque

from bus.interfaces import Outgoing, Received
from bus.messages import DeadLetter
from ecg.errors import EcgStreamError

MAX_VALUE_BYTES = 65_536  # of the original that is kept; a whole one might not fit into a message again
MAX_REASON = 1_000  # characters; a reason may quote what was sent


class DeadLetterFloodError(EcgStreamError):
    """So many messages are bad that the fault is not theirs."""


def dead_letter(received: Received, *, topic: str, service: str, reason: str) -> Outgoing:
    """The dead letter for a message.

    Parameters
    ----------
    received : the message that could not be decoded
    topic : the dead-letter topic as it is named on the cluster
    service : who could not decode it
    reason : why not
    """
    value, key = received.value, received.key
    letter = DeadLetter(
        service=service,
        # A reason may quote bytes that are no text: none of it may keep the letter itself from being written.
        reason=reason[:MAX_REASON].encode(errors="backslashreplace").decode(),
        topic=received.topic,
        partition=received.partition,
        offset=received.offset,
        timestamp_ms=received.timestamp_ms,
        key_base64=None if key is None else b64encode(key[:MAX_VALUE_BYTES]).decode(),
        value_bytes=len(value or b""),
        value_base64=None if value is None else b64encode(value[:MAX_VALUE_BYTES]).decode(),
    )
    return Outgoing(topic=topic, key=_text_key(key), value=letter.to_bytes())


def _text_key(key: bytes | None) -> bytes | None:
    if key is None or len(key) > MAX_VALUE_BYTES:
        return None
    try:
        key.decode()
    except UnicodeDecodeError:
        return None
    return key


class DeadLetterLimit:
    """Watches the share of bad messages among the last ones.

    A few bad messages are put aside and the stream goes on. When most are bad, the fault lies with the service or
    its settings (a new schema, the wrong topic): going on would empty the topic into the dead letters.

    Parameters
    ----------
    last : how many messages are looked back on
    share : the fraction of ``last`` that may be bad, above 0 and at most 1
    """

    def __init__(self, *, last: int = 1000, share: float = 0.5) -> None:
        if last < 1 or not 0 < share <= 1:
            raise EcgStreamError(
                f"last={last} and share={share}: look back on 1 message or more, and let a share above 0 and "
                "at most 1 be bad"
            )
        self._last = last
        self._share = share
        self._bad: deque[bool] = deque(maxlen=last)
        self._count = 0

    def good(self) -> None:
        """Count a message that could be decoded."""
        self._add(bad=False)

    def bad(self, reason: str) -> None:
        """Count a message that could not be decoded.

        Raises
        ------
        DeadLetterFloodError : when more than the share of the last messages could not
        """
        self._add(bad=True)
        if self._count > self._share * self._last:
            raise DeadLetterFloodError(
                f"{self._count} of the last {len(self._bad)} messages could not be decoded, at most "
                f"{self._share:g} of {self._last} may be bad: see what sends them and in which schema, then start "
                f"again; the last reason was: {reason[:MAX_REASON]}"
            )

    def _add(self, *, bad: bool) -> None:
        if len(self._bad) == self._last:
            self._count -= self._bad[0]
        self._bad.append(bad)
        self._count += bad
