"""Messages that no sound sender sends, seeded: the same seed brings the same ones. Pure.

A fault turns each good chunk of its span into the messages that are sent in its place: with the good chunk, where
somebody else writes under the sender's key, or without it, where the sender itself is broken.
"""

import io
import json
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import fastavro
import numpy as np

from bus.interfaces import Outgoing
from bus.partitioning import partition_of
from bus.sample_schemas import CURRENT, READER, fingerprint_of
from bus.samples import HEADER_BYTES, INT64_MAX, MARKER, MAX_CHUNK_S, Chunk, encode, fields_of
from ecg.errors import EcgStreamError
from ecg.records import MAX_GAIN, MIN_GAIN, MISSING, exact_rate
from ecg.windows import Grid

FLOOD = 3_000  # messages: an hour of chunks within a moment
HUGE_BYTES = 900_000  # about what a broker takes
STRANGERS = 20  # new patient ids that one fault brings
DAY_NS = 86_400_000_000_000
CLOCKS_NS = {"1970": 0, "2116": 4_607_000_000_000_000_000}
SHIFTS_NS = (-2 * DAY_NS, -3_600_000_000_000, 90_000_000_000, 3_600_000_000_000, 2 * DAY_NS)
JUMPS_S = (61.0, 3_600.0, 86_400.0)
_HELD = 40  # good chunks that are sent again
_write: Callable[..., None] = fastavro.schemaless_writer

Forge = Callable[[Chunk], list[Outgoing]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Target of the messages.

    Attributes
    ----------
    topic : the samples topic's name
    partitions : how many it has
    """

    topic: str
    partitions: int

    def good(self, chunk: Chunk) -> Outgoing:
        """A chunk as a sound sender sends it."""
        return self.message(encode(chunk), chunk.patient)

    def message(self, value: bytes | None, patient: str | None, *, partition: int | None = None) -> Outgoing:
        """Any bytes under a patient's key, or under none."""
        key = None if patient is None else patient.encode()
        return Outgoing(topic=self.topic, key=key, value=value, partition=partition)

    def home(self, patient: str) -> int:
        """The partition in which a patient's messages belong."""
        return partition_of(patient.encode(), self.partitions)


class Fault:
    """One fault of one sender.

    Parameters
    ----------
    kind : what goes wrong; one of ``KINDS``
    seed : the same brings the same messages for the same chunks
    target : where they go

    Raises
    ------
    EcgStreamError : when the kind is not known
    """

    def __init__(self, kind: str, seed: str, target: Target) -> None:
        if kind not in KINDS:
            raise EcgStreamError(f"kind={kind!r} is not a fault of a sender: choose from {', '.join(KINDS)}")
        seeded = random.Random(f"{seed}/{kind}")  # noqa: S311 # seeded, not secret
        self._forge = KINDS[kind](seeded, target)
        self._target = target
        self._beside = kind in _BESIDE or seeded.random() < 0.5
        self._lone = kind in _LONE and seeded.random() < 0.4
        self._done = 0

    def messages(self, chunk: Chunk) -> list[Outgoing]:
        """Return what is sent when the next good chunk is due, in order."""
        good = self._target.good(chunk)
        self._done += 1
        if self._lone and self._done > 1:
            return [good]
        forged = self._forge(chunk)
        return [*forged, good] if self._beside else forged


# --- bytes that are no chunk ---


def _undecodable(seeded: random.Random, target: Target) -> Forge:
    return lambda chunk: [target.message(_broken(seeded, chunk), chunk.patient) for _ in range(seeded.randint(1, 4))]


def _huge(seeded: random.Random, target: Target) -> Forge:
    left = [2]  # messages: a fault is no test of the network

    def forge(chunk: Chunk) -> list[Outgoing]:
        left[0] -= 1
        head = seeded.choice([b"", MARKER, encode(chunk)])
        return [target.message(head + bytes(HUGE_BYTES), chunk.patient)] if left[0] >= 0 else []

    return forge


def _flood(seeded: random.Random, target: Target) -> Forge:
    keyed = seeded.random() < 0.5
    left = [FLOOD]

    def forge(chunk: Chunk) -> list[Outgoing]:
        count, left[0] = left[0], 0
        home = target.home(chunk.patient)
        sender = chunk.patient if keyed else None
        return [target.message(seeded.randbytes(8), sender, partition=home) for _ in range(count)]

    return forge


def _schema(seeded: random.Random, target: Target) -> Forge:
    known, fingerprint = seeded.random() < 0.5, seeded.randbytes(8)

    def forge(chunk: Chunk) -> list[Outgoing]:
        value = _of_newer_schema(chunk) if known else MARKER + fingerprint + encode(chunk)[HEADER_BYTES:]
        return [target.message(value, chunk.patient)]

    return forge


def _impossible(seeded: random.Random, target: Target) -> Forge:
    """Records of the schema whose fields make no sense."""
    variants: Sequence[dict[str, Any]] = (
        {"start_index": -seeded.randint(1, INT64_MAX)},
        {"start_index": INT64_MAX},
        {"start_ns": -seeded.randint(1, INT64_MAX)},
        {"start_ns": INT64_MAX},
        {"count": 0, "samples": b""},
        {"count": 2**31 - 1},
        {"fs_hz": seeded.choice([0.0, -360.0, 1e9, float("nan"), float("inf")])},
        {"gain": []},
        {"leads": ["x" * 10_000]},
        {"unit": "uV"},
    )
    changes = seeded.choice(variants)
    return lambda chunk: [target.message(written(chunk, changes), chunk.patient)]


# --- index and clock ---


def _index(seeded: random.Random, target: Target) -> Forge:
    """The sample count leaps ahead, or back to its beginning, and the clock does not."""
    shift = seeded.choice([10**12, *JUMPS_S, 0])
    back = shift == 0
    begun: list[int] = []

    def forge(chunk: Chunk) -> list[Outgoing]:
        begun.append(chunk.start_index)
        by = -begun[0] if back else shift if isinstance(shift, int) else round(shift * chunk.fs_hz)
        return [target.good(replace(chunk, start_index=chunk.start_index + by))]

    return forge


def _leap(seeded: random.Random, target: Target) -> Forge:
    """Sample count and clock leap ahead together."""
    jump_s = seeded.choice(JUMPS_S)
    return lambda chunk: [target.good(_ahead(chunk, round(jump_s * chunk.fs_hz)))]


def _clock(seeded: random.Random, target: Target) -> Forge:
    """The clock is turned, to a date or by hours; it may go to and fro."""
    date = seeded.choice([None, *CLOCKS_NS])
    by_ns = seeded.choice(SHIFTS_NS)
    flaps = seeded.random() < 0.3
    first: list[int] = []

    def forge(chunk: Chunk) -> list[Outgoing]:
        first.append(chunk.start_ns)
        if flaps and len(first) % 2 == 0:
            return [target.good(chunk)]
        wrong_ns = chunk.start_ns + by_ns if date is None else CLOCKS_NS[date] + chunk.start_ns - first[0]
        return [target.good(replace(chunk, start_ns=max(0, wrong_ns)))]

    return forge


# --- keys and partitions ---


def _wrong_partition(seeded: random.Random, target: Target) -> Forge:
    """As another client's partitioner puts it: librdkafka's default, ``kcat``."""
    step = seeded.randrange(1, max(2, target.partitions))

    def forge(chunk: Chunk) -> list[Outgoing]:
        elsewhere = (target.home(chunk.patient) + step) % target.partitions
        return [target.message(encode(chunk), chunk.patient, partition=elsewhere)]

    return forge


def _no_key(seeded: random.Random, target: Target) -> Forge:
    return lambda chunk: [target.message(encode(chunk), None, partition=seeded.randrange(target.partitions))]


def _wrong_key(seeded: random.Random, target: Target) -> Forge:
    key = f"stranger-{seeded.getrandbits(32):08x}"
    return lambda chunk: [target.message(encode(chunk), seeded.choice([key, ""]))]


# --- several senders ---


def _two_devices(seeded: random.Random, target: Target) -> Forge:
    """Another device sends under the same patient id: its own count, its own clock, a signal of its own."""
    device, by_ns = f"device-{seeded.getrandbits(16):04x}", seeded.randrange(-2_000_000_000, 2_000_000_000)
    counted = [0]

    def forge(chunk: Chunk) -> list[Outgoing]:
        start, counted[0] = counted[0], counted[0] + len(chunk.samples)
        samples = np.ascontiguousarray(chunk.samples[::-1])
        start_ns = chunk.start_ns + by_ns
        return [target.good(replace(chunk, device=device, start_index=start, start_ns=start_ns, samples=samples))]

    return forge


def _ids(seeded: random.Random, target: Target) -> Forge:
    """Patients nobody has heard of, a chunk each time, and the same ones but once."""
    prefix = f"id-{seeded.getrandbits(32):08x}"
    number = [0]

    def forge(chunk: Chunk) -> list[Outgoing]:
        number[0] += 1
        names = (f"{prefix}-{number[0] % 2 * n}-{n}" for n in range(STRANGERS))
        return [target.good(replace(chunk, patient=name)) for name in names]

    return forge


# --- chunks that fit, and are wrong all the same ---


def _long(seeded: random.Random, target: Target) -> Forge:
    """As long as a chunk may be, over samples that are still to come."""
    left = [seeded.randint(1, 2)]

    def forge(chunk: Chunk) -> list[Outgoing]:
        left[0] -= 1
        count = int(MAX_CHUNK_S * chunk.fs_hz)
        samples = np.resize(chunk.samples, (count, len(chunk.leads)))
        return [target.good(replace(chunk, samples=samples))] if left[0] >= 0 else []

    return forge


def _units(seeded: random.Random, target: Target) -> Forge:
    """Gains and baselines at the ends of what may be."""
    gain, baseline = (seeded.choice([MIN_GAIN, MAX_GAIN]),), (seeded.choice([-(2**31), 0, 2**31 - 1]),)
    return lambda chunk: [
        target.good(replace(chunk, gain=gain * len(chunk.leads), baseline=baseline * len(chunk.leads)))
    ]


def _noise(seeded: random.Random, target: Target) -> Forge:
    """Every value that sixteen bits hold."""
    generator = np.random.default_rng(seeded.getrandbits(32))

    def forge(chunk: Chunk) -> list[Outgoing]:
        samples = generator.integers(-(2**15), 2**15, chunk.samples.shape).astype(np.int16)
        return [target.good(replace(chunk, samples=samples))]

    return forge


def _missing(seeded: random.Random, target: Target) -> Forge:
    """Nothing but samples that were never taken."""
    ahead = seeded.choice([0, 0, 1])

    def forge(chunk: Chunk) -> list[Outgoing]:
        later = _ahead(chunk, ahead * len(chunk.samples))
        return [target.good(replace(later, samples=np.full_like(chunk.samples, MISSING)))]

    return forge


def _again(seeded: random.Random, target: Target) -> Forge:
    """Messages that were sent before, once more and in any order."""
    held: deque[Chunk] = deque(maxlen=_HELD)

    def forge(chunk: Chunk) -> list[Outgoing]:
        held.append(chunk)
        return [target.good(seeded.choice(held)) for _ in range(seeded.randint(1, 10))]

    return forge


KINDS: Mapping[str, Callable[[random.Random, Target], Forge]] = {
    "undecodable": _undecodable,
    "huge": _huge,
    "flood": _flood,
    "schema": _schema,
    "impossible": _impossible,
    "index": _index,
    "leap": _leap,
    "clock": _clock,
    "wrong_partition": _wrong_partition,
    "no_key": _no_key,
    "wrong_key": _wrong_key,
    "two_devices": _two_devices,
    "ids": _ids,
    "long_chunk": _long,
    "units": _units,
    "noise": _noise,
    "missing": _missing,
    "again": _again,
}
# Of these the sender's own chunks are always sent too.
_BESIDE = frozenset({"two_devices", "ids", "again"})
# Of these there may be a single message.
_LONE = frozenset({"index", "leap", "clock", "units", "noise", "missing", "two_devices", "wrong_partition", "schema"})


def _ahead(chunk: Chunk, by: int) -> Chunk:
    """The chunk with index and time so many samples later."""
    by_ns = Grid(exact_rate(chunk.fs_hz)).offset_ns(by)
    return replace(chunk, start_index=chunk.start_index + by, start_ns=chunk.start_ns + by_ns)


def written(chunk: Chunk, changes: Mapping[str, Any]) -> bytes:
    """A samples message with some fields changed, whether they make sense or not."""
    return _record(encode(chunk)[:HEADER_BYTES], READER, fields_of(chunk) | dict(changes))


def _record(prefix: bytes, schema: Any, fields: dict[str, Any]) -> bytes:
    out = io.BytesIO(prefix)
    out.seek(0, io.SEEK_END)
    _write(out, schema, fields)
    return out.getvalue()


def _broken(seeded: random.Random, chunk: Chunk) -> bytes | None:
    """Bytes that are not a samples message."""
    whole = encode(chunk)
    variants: Sequence[Callable[[], bytes | None]] = (
        lambda: None,
        lambda: b"",
        lambda: seeded.randbytes(seeded.randint(1, 2_000)),
        lambda: whole[: seeded.randrange(len(whole))],
        lambda: whole + seeded.randbytes(seeded.randint(1, 20)),
        lambda: whole[:HEADER_BYTES] + seeded.randbytes(200),
        lambda: json.dumps({"patient": chunk.patient}).encode(),
    )
    return seeded.choice(variants)()


_NEWER = CURRENT | {"fields": [*CURRENT["fields"], {"name": "firmware", "type": "string", "default": ""}]}
_NEWER_PARSED = fastavro.parse_schema(_NEWER)
_NEWER_PREFIX = MARKER + fingerprint_of(_NEWER)


def _of_newer_schema(chunk: Chunk) -> bytes:
    """The chunk by a schema that this release does not know."""
    return _record(_NEWER_PREFIX, _NEWER_PARSED, fields_of(chunk) | {"firmware": "9.9"})
