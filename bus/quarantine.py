"""Senders of nothing but bad messages: each bad message is told at first, then they are counted and told together.

A sender is a key; what comes without a key is one sender. Nothing here looks at a clock: time is what the broker
wrote on the partition's messages, so that who rereads them says the same.
"""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from bus.dead_letters import Letter, Refusal, dead_letter
from bus.interfaces import Received
from bus.messages import RefusalCode

QUARANTINED_AFTER = 20  # bad messages one after another
LETTER_EVERY_MS = 10_000  # of those that are only counted
# A sender of whom nothing more came for so long is no longer known. Longer than LETTER_EVERY_MS: all was told then.
FORGOTTEN_MS = 60_000
MAX_SENDERS = 32  # known at once in a partition; all others share one entry. They stand in its progress record
MAX_KEY = 128  # bytes of a key that tell senders apart
MAX_KEPT_REASON = 200  # characters

_OTHERS = b"/others"  # not a patient id


@dataclass(slots=True, kw_only=True)
class _Sender:
    """One whose last message was bad.

    Attributes
    ----------
    row : bad messages since the last good one
    letter_ms : when a letter was last written, by the broker's clock
    last_ms : when the last bad message came
    counted : bad messages since that letter
    first_offset : where the first of those lies
    last : the last of those without its value, and why it was refused
    """

    row: int
    letter_ms: int
    last_ms: int
    counted: int = 0
    first_offset: int = 0
    last: tuple[Received, Refusal] | None = None


class Quarantine:
    """The senders of bad messages in one partition, and the letters about them.

    Parameters
    ----------
    topic : the dead-letter topic
    service : who refuses
    partitions : how many partitions the topics have, see ``bus.dead_letters.dead_letter``
    """

    def __init__(self, *, topic: str, service: str, partitions: int | None = None) -> None:
        self._topic = topic
        self._service = service
        self._partitions = partitions
        self._senders: dict[bytes, _Sender] = {}

    @property
    def quarantined(self) -> int:
        """Number of senders whose messages are only counted now."""
        return sum(sender.row > QUARANTINED_AFTER for sender in self._senders.values())

    def bad(self, received: Received, refusal: Refusal) -> list[Letter]:
        """Take a refused message in; the letters that are to be written now."""
        now_ms = received.timestamp_ms
        out = self.passed(now_ms)
        name = self._name(received.key)
        sender = self._senders.get(name)
        if sender is None:
            sender = self._senders[name] = _Sender(row=0, letter_ms=now_ms, last_ms=now_ms)
        sender.row += 1
        sender.last_ms = now_ms
        if sender.row <= QUARANTINED_AFTER:
            sender.letter_ms = now_ms
            return [*out, self._letter(received, refusal)]
        if not sender.counted:
            sender.first_offset = received.offset
        sender.counted += 1
        sender.last = _kept(received, refusal)
        return out

    def good(self, received: Received) -> list[Letter]:
        """Take note of a message that was used: its sender's quarantine ends, and what was counted is told."""
        if not self._senders:  # nearly always
            return []
        sender = self._senders.pop(_sender_of(received.key), None)
        return [*([] if sender is None else self._summary(sender)), *self.passed(received.timestamp_ms)]

    def passed(self, now_ms: int) -> list[Letter]:
        """The letters that are due at a time of the broker's clock."""
        out: list[Letter] = []
        for name, sender in list(self._senders.items()):
            if sender.counted and abs(now_ms - sender.letter_ms) >= LETTER_EVERY_MS:
                out += self._summary(sender)
                sender.letter_ms = now_ms
            if abs(now_ms - sender.last_ms) >= FORGOTTEN_MS:
                del self._senders[name]
        return out

    def dump(self) -> list[Any]:
        """Return what is known, as JSON: to be written with the partition's progress, in the letters' transaction."""
        return [_dumped(name, sender) for name, sender in self._senders.items()]

    def load(self, dumped: Sequence[Any]) -> None:
        """Put back what ``dump`` gave."""
        self._senders = dict(_loaded(each) for each in dumped)

    def _name(self, key: bytes | None) -> bytes:
        name = _sender_of(key)
        return name if name in self._senders or len(self._senders) < MAX_SENDERS else _OTHERS

    def _summary(self, sender: _Sender) -> list[Letter]:
        """The letter about what was counted, if anything was."""
        if not sender.counted or sender.last is None:
            return []
        received, refusal = sender.last
        count, sender.counted, sender.last = sender.counted, 0, None
        return [self._letter(received, refusal, count=count, first_offset=sender.first_offset)]

    def _letter(
        self, received: Received, refusal: Refusal, *, count: int = 1, first_offset: int | None = None
    ) -> Letter:
        return dead_letter(
            received,
            refusal,
            topic=self._topic,
            service=self._service,
            partitions=self._partitions,
            count=count,
            first_offset=first_offset,
        )


def _sender_of(key: bytes | None) -> bytes:
    return b"/keyless" if key is None else key[:MAX_KEY]


def _kept(received: Received, refusal: Refusal) -> tuple[Received, Refusal]:
    """Return what is remembered of a refused message: all that is small."""
    key = None if received.key is None else received.key[:MAX_KEY]
    reason = refusal.reason[:MAX_KEPT_REASON].encode(errors="backslashreplace").decode()
    return received._replace(key=key, value=None, headers=()), replace(refusal, reason=reason)


def _dumped(name: bytes, sender: _Sender) -> list[Any]:
    last = None
    if sender.last is not None:
        received, refusal = sender.last
        key = None if received.key is None else b64encode(received.key).decode()
        place = [received.topic, received.partition, received.offset, received.timestamp_ms, key]
        last = [*place, refusal.code, refusal.reason, refusal.patient]
    return [
        b64encode(name).decode(),
        sender.row,
        sender.letter_ms,
        sender.last_ms,
        sender.counted,
        sender.first_offset,
        last,
    ]


def _loaded(dumped: Sequence[Any]) -> tuple[bytes, _Sender]:
    name, row, letter_ms, last_ms, counted, first_offset, last = dumped
    sender = _Sender(row=row, letter_ms=letter_ms, last_ms=last_ms, counted=counted, first_offset=first_offset)
    if last is not None:
        topic, partition, offset, timestamp_ms, key, code, reason, patient = last
        received = Received(
            topic=topic,
            partition=partition,
            offset=offset,
            timestamp_ms=timestamp_ms,
            key=None if key is None else b64decode(key),
            value=None,
        )
        # A code that a later release gave is none of ours.
        known = cast("RefusalCode", code if code in get_args(RefusalCode) else "undecodable")
        sender.last = (received, Refusal(code=known, reason=reason, patient=patient))
    return b64decode(name), sender
