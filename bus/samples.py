"""The samples contract: a chunk of int16 ECG samples in Avro single-object encoding."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import fastavro
import numpy as np

from bus.dead_letters import BadMessageError, refuse_misplaced
from bus.interfaces import Received
from bus.messages import MAX_PATIENT_ID, PATIENT_ID
from bus.sample_schemas import FINGERPRINT, READER, WRITER_SCHEMAS
from ecg.errors import EcgStreamError
from ecg.records import MAX_GAIN, MIN_GAIN, Int16Array, check_fs, exact_rate
from ecg.windows import Grid

MARKER = b"\xc3\x01"  # Avro single-object encoding, version 1
HEADER_BYTES = 10
MAX_LEADS = 16  # a 12-lead ECG and four spare
MAX_NAME = 128  # characters in the name of a lead or a device: each verdict repeats them
CLOCK_TOLERANCE_NS = 100_000_000  # a device clock that strays further from its sample count has jumped
MAX_CHUNK_S = 10.0  # a chunk is 0.1 to 1 s; ten times that is a mistake and would stall its window
INT64_MAX = 2**63 - 1
REMEMBERED = 16_384  # senders whose messages are compared with the last one's; 1 kB each
MOST_DESCRIBED = 512  # bytes that say what all messages of a sender have in common; longer ones are read each time

_PREFIX = MARKER + FINGERPRINT
_write: Callable[..., None] = fastavro.schemaless_writer
_read: Callable[..., Any] = fastavro.schemaless_reader


class BadChunkError(BadMessageError):
    """A samples message that cannot be used."""


@lru_cache(maxsize=4096)  # one for each sampling rate
def _grid(fs_hz: float) -> Grid:
    return Grid(exact_rate(fs_hz))


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A run of consecutive samples of one patient.

    Attributes
    ----------
    patient, device : who, and what recorded
    start_ns : time of the first sample by the device's clock, ns UTC
    start_index : running index of the first sample in the patient's stream
    fs_hz : sampling rate in Hz
    leads : lead names, in the order of the columns of ``samples``
    gain : per lead, ADC units per mV
    baseline : per lead, the ADC value of 0 mV
    samples : (n, leads) int16, ADC units; ``MISSING`` where no sample was taken
    """

    patient: str
    device: str
    start_ns: int
    start_index: int
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    samples: Int16Array

    @property
    def end_index(self) -> int:
        """The index after the last sample."""
        return self.start_index + len(self.samples)

    @property
    def base_ns(self) -> int:
        """Time of the stream's sample 0 by the clock of this chunk, ns UTC."""
        return self.start_ns - _grid(self.fs_hz).offset_ns(self.start_index)

    @property
    def end_ns(self) -> int:
        """Time of the sample after the last one by the clock of this chunk, ns UTC."""
        return self.base_ns + _grid(self.fs_hz).offset_ns(self.end_index)

    def is_of_source(self, source: "Source | Chunk") -> bool:
        """Return whether it has all in common that a source's chunks have; no other source is made for it."""
        return (
            self.device == source.device
            and self.fs_hz == source.fs_hz
            and self.leads == source.leads
            and self.gain == source.gain
            and self.baseline == source.baseline
        )

    @property
    def source(self) -> "Source":
        """The part that all chunks of its stream have in common."""
        return Source(device=self.device, fs_hz=self.fs_hz, leads=self.leads, gain=self.gain, baseline=self.baseline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The part that a stream's chunks have in common; a chunk that differs is another stream's."""

    device: str
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]

    def dump(self) -> list[Any]:
        """Return the source as JSON."""
        return [self.device, self.fs_hz, self.leads, self.gain, self.baseline]

    @classmethod
    def load(cls, dumped: Sequence[Any]) -> "Source":
        """Return the source that ``dump`` gave."""
        device, fs_hz, leads, gain, baseline = dumped
        return cls(device=device, fs_hz=fs_hz, leads=tuple(leads), gain=tuple(gain), baseline=tuple(baseline))


def check_patient(patient: str) -> None:
    """Refuse a patient id that could not be a key everywhere.

    Raises
    ------
    BadChunkError : when the id is empty, too long, or has a character outside the set
    """
    if not patient:
        raise BadChunkError("the patient id is empty: give each patient an id")
    if len(patient) > MAX_PATIENT_ID:
        raise BadChunkError(
            f"patient id {patient[:20]!r}... has {len(patient)} characters, at most {MAX_PATIENT_ID}: shorten it"
        )
    if not PATIENT_ID.fullmatch(patient):
        raise BadChunkError(
            f"patient id {patient!r}: only letters, digits and . _ : @ + - may stand in it, and not . or .. alone"
        )


def encode(chunk: Chunk) -> bytes:
    """A chunk as the bytes of a samples message.

    Raises
    ------
    BadChunkError : when ``decode`` would refuse the result
    """
    _check(chunk)
    out = io.BytesIO()
    out.write(_PREFIX)
    _write(out, READER, fields_of(chunk))
    return out.getvalue()


def fields_of(chunk: Chunk) -> dict[str, Any]:
    """Return the fields of a chunk's message, as the Avro schema names them."""
    return {
        "patient": chunk.patient,
        "device": chunk.device,
        "start_ns": chunk.start_ns,
        "start_index": chunk.start_index,
        "fs_hz": chunk.fs_hz,
        "leads": chunk.leads,
        "unit": "mV",
        "gain": chunk.gain,
        "baseline": chunk.baseline,
        "count": len(chunk.samples),
        "samples": chunk.samples.astype("<i2", copy=False).tobytes(),
    }


def decode(value: bytes | None, *, key: bytes | None = None) -> Chunk:
    """The chunk in a samples message.

    Parameters
    ----------
    value : the message's bytes
    key : the message's key; where given, it must be the patient id

    Raises
    ------
    BadChunkError : when the bytes are no chunk of a known schema, or the chunk contradicts itself
    """
    if not value:
        raise BadChunkError("the message is empty: a samples message holds an Avro record")
    if (chunk := _KNOWN.chunk_in(value, key)) is not None:
        return chunk
    if value[:2] != MARKER:
        raise BadChunkError(
            f"the message starts with {value[:2].hex()} and not {MARKER.hex()}: encode it as an Avro single object"
        )
    writer = READER if value[:HEADER_BYTES] == _PREFIX else _writer_of(value[2:HEADER_BYTES])
    body = io.BytesIO(value)
    body.seek(HEADER_BYTES)
    try:
        fields = _read(body, writer, None if writer is READER else READER)
    except Exception as error:  # fastavro raises many kinds on hostile bytes
        raise BadChunkError(f"the message is not an Avro record of its schema: {error!r}") from error
    if rest := body.read():
        raise BadChunkError(f"{len(rest)} bytes stand behind the record: the message is damaged")
    chunk = _chunk(fields, key)
    if writer is READER:
        _KNOWN.remember(value, chunk)
    return chunk


def sender_of(value: bytes) -> bytes | None:
    """Return the beginning of a samples message, which names patient and device: the same in all that a sender sends.

    None where an id is too long to be compared, or nothing is named.
    """
    try:
        end = _head_end(value)
    except (IndexError, _TooLongError):
        return None
    return value[:end] if value.startswith(_PREFIX) and end < len(value) else None


class _Known(NamedTuple):
    """The part of a sender's messages that is the same in each, as it stands there and as it was read."""

    key: bytes
    described: bytes  # from the sampling rate to the baseline
    counted: bytes  # the same, and what the last message that was read whole says of its samples' number
    length: int  # that number
    patient: str
    device: str
    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    most: int  # samples in a chunk


class _KnownSenders:
    """Senders whose messages were read: what each repeats is compared, and neither decoded nor checked again.

    Avro's reader takes four times as long as this, and a patient sends four messages a second.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, _Known] = {}

    def chunk_in(self, value: bytes, key: bytes | None) -> Chunk | None:
        """Return the chunk in a message of the present schema; None where ``decode`` has to read it as any other."""
        try:
            head_end = _head_end(value)
            known = self._known.get(value[HEADER_BYTES:head_end])
            if known is None or not value.startswith(_PREFIX) or (key is not None and key != known.key):
                return None
            start_ns, at = _long(value, head_end)
            start_index, at = _long(value, at)
            if value.startswith(known.counted, at):
                count, at = known.length, at + len(known.counted)
                size = 2 * count * len(known.leads)
            elif value.startswith(known.described, at):
                count, at = _long(value, at + len(known.described))
                size, at = _long(value, at)
            else:
                return None
        except (IndexError, _TooLongError):
            return None
        leads = len(known.leads)
        if not 1 <= count <= known.most or size != count * leads * 2 or at + size != len(value):
            return None
        if not (0 <= start_index <= INT64_MAX // 2 and 0 <= start_ns <= INT64_MAX // 2):
            return None
        samples = np.frombuffer(value, "<i2", count * leads, at).reshape(count, leads)
        _, _, _, _, patient, device, fs_hz, names, gain, baseline, _ = known
        return Chunk(
            patient=patient,
            device=device,
            start_ns=start_ns,
            start_index=start_index,
            fs_hz=fs_hz,
            leads=names,
            gain=gain,
            baseline=baseline,
            samples=samples,
        )

    def remember(self, value: bytes, chunk: Chunk) -> None:
        """Know the sender of a good message of the present schema."""
        try:
            head_end = _head_end(value)
            _, at = _long(value, head_end)
            _, at = _long(value, at)
        except (IndexError, _TooLongError):
            return  # ids longer than 63 bytes are read each time
        rest = chunk.samples.nbytes
        end = len(value) - rest - _long_bytes(rest) - _long_bytes(len(chunk.samples))
        if end - at > MOST_DESCRIBED:
            return
        if len(self._known) >= REMEMBERED:
            del self._known[next(iter(self._known))]
        head = value[HEADER_BYTES:head_end]
        self._known[head] = _Known(
            key=chunk.patient.encode(),
            described=value[at:end],
            counted=value[at : len(value) - rest],
            length=len(chunk.samples),
            patient=chunk.patient,
            device=chunk.device,
            fs_hz=chunk.fs_hz,
            leads=chunk.leads,
            gain=chunk.gain,
            baseline=chunk.baseline,
            most=int(MAX_CHUNK_S * chunk.fs_hz),
        )
        again = self.chunk_in(value, None)
        # Avro may write one value in several ways: what would not be read alike is not known.
        if again is None or again.end_index != chunk.end_index or again.start_ns != chunk.start_ns:
            del self._known[head]


class _TooLongError(Exception):
    """A number or a length of more bytes than are read here."""


def _head_end(value: bytes) -> int:
    """Return where a message goes on behind patient and device."""
    device_at = HEADER_BYTES + 1 + _short(value[HEADER_BYTES])
    return device_at + 1 + _short(value[device_at])


def _short(byte: int) -> int:
    """A length of one byte, as Avro writes it."""
    if byte & 0x81:
        raise _TooLongError
    return byte >> 1


def _long(value: bytes, at: int) -> tuple[int, int]:
    """A number as Avro writes it (zigzag, seven bits a byte, the least first), and where it ends."""
    byte = value[at]
    number, shift = byte & 0x7F, 7
    while byte & 0x80:
        if shift > 63:
            raise _TooLongError
        at += 1
        byte = value[at]
        number |= (byte & 0x7F) << shift
        shift += 7
    return (number >> 1) ^ -(number & 1), at + 1


def _long_bytes(number: int) -> int:
    """Return how many bytes Avro takes for a number that is not negative."""
    return max(1, -(-(2 * number).bit_length() // 7))


_KNOWN = _KnownSenders()


def _writer_of(fingerprint: bytes) -> Any:
    """The schema that a message was written with, where it is another than the present one."""
    writer = WRITER_SCHEMAS.get(fingerprint)
    if writer is None:
        raise BadChunkError(
            f"unknown schema version: fingerprint {fingerprint.hex()}, written today {FINGERPRINT.hex()}: use the "
            "schema ecg.samples.avsc, or put the sender's into the folder ECGSTREAM_SCHEMAS_DIR",
            code="unknown_schema",
        )
    return writer


def receive(message: Received, *, partitions: int) -> Chunk:
    """The chunk in a samples message that lies where its patient's messages belong.

    Parameters
    ----------
    message : as it came
    partitions : how many partitions its topic has

    Raises
    ------
    BadChunkError : when it is not a chunk, has no key, or lies in another partition than its key's
    """
    chunk = decode(message.value, key=message.key)
    if message.key is None:
        raise BadChunkError(
            f"the message of patient {chunk.patient!r} has no key: key each message by patient, or one patient is "
            "torn over all partitions",
            code="no_key",
            patient=chunk.patient,
        )
    refuse_misplaced(message, chunk.patient, partitions, BadChunkError)
    return chunk


def _chunk(fields: dict[str, Any], key: bytes | None) -> Chunk:
    leads = tuple(fields["leads"])
    count, raw = fields["count"], fields["samples"]
    if fields["unit"] != "mV":
        raise BadChunkError(f"unit={fields['unit']!r} is not known: send gain in ADC units per mV")
    if not 1 <= len(leads) <= MAX_LEADS:
        raise BadChunkError(f"{len(leads)} leads are outside 1 to {MAX_LEADS}")
    if count < 1 or len(raw) != count * len(leads) * 2:
        raise BadChunkError(
            f"wrong count of bytes: {len(raw)} for count={count} and {len(leads)} leads, "
            f"which take {count * len(leads) * 2}"
        )
    chunk = Chunk(
        patient=fields["patient"],
        device=fields["device"],
        start_ns=fields["start_ns"],
        start_index=fields["start_index"],
        fs_hz=fields["fs_hz"],
        leads=leads,
        gain=tuple(fields["gain"]),
        baseline=tuple(fields["baseline"]),
        samples=np.frombuffer(raw, dtype="<i2").reshape(count, len(leads)),
    )
    _check(chunk)
    if key is not None and key != chunk.patient.encode():
        raise BadChunkError(
            f"the key {key[:40]!r} is not the patient id {chunk.patient!r}: key each message by patient",
            code="wrong_key",
            patient=chunk.patient,
        )
    return chunk


def _check(chunk: Chunk) -> None:
    check_patient(chunk.patient)
    try:
        check_fs(chunk.fs_hz)
    except EcgStreamError as error:
        raise BadChunkError(str(error)) from error
    n_leads = len(chunk.leads)
    if not 1 <= n_leads <= MAX_LEADS or chunk.samples.ndim != 2 or chunk.samples.shape[1] != n_leads:
        raise BadChunkError(f"samples of shape {chunk.samples.shape} do not fit {n_leads} leads (1 to {MAX_LEADS})")
    if (longest := max(len(name) for name in (chunk.device, *chunk.leads))) > MAX_NAME:
        raise BadChunkError(f"a device or lead name has {longest} characters, at most {MAX_NAME}: shorten it")
    if unprintable := [name for name in (chunk.device, *chunk.leads) if not name.isprintable()]:
        raise BadChunkError(
            f"the device or lead name {unprintable[0][:20]!r} has characters that cannot be printed: leave them out"
        )
    if len(chunk.gain) != n_leads or len(chunk.baseline) != n_leads:
        raise BadChunkError(f"{len(chunk.gain)} gains and {len(chunk.baseline)} baselines for {n_leads} leads")
    if not all(MIN_GAIN <= gain <= MAX_GAIN for gain in chunk.gain):
        raise BadChunkError(f"gain={chunk.gain} is not in {MIN_GAIN:g} to {MAX_GAIN:g} ADC units per mV for each lead")
    seconds = len(chunk.samples) / chunk.fs_hz
    if not 0 < seconds <= MAX_CHUNK_S:
        raise BadChunkError(f"a chunk of {seconds:g} s is outside 0 to {MAX_CHUNK_S:g} s: send shorter chunks")
    if not (0 <= chunk.start_index <= INT64_MAX // 2 and 0 <= chunk.start_ns <= INT64_MAX // 2):
        raise BadChunkError(f"start_index={chunk.start_index}, start_ns={chunk.start_ns}: out of range")
