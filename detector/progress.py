"""Where the detector stands with a patient: the record on the compacted progress topic, and the way back from it."""

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from detector.baseline import PersonalBaseline
from detector.stream import PatientStream, Source, WindowNotes
from ecg.errors import EcgStreamError
from ecg.lethal import UsualSwing
from ecg.records import Int16Array
from ecg.rhythm import RhythmState

VERSION = 4


class BadProgressError(EcgStreamError):
    """A progress record that this program cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dormant:
    """A patient who is not followed.

    Attributes
    ----------
    record : the progress record
    resume_offset, seen : the first message that is not in its state, and the one behind the last taken in
    parked_ns : when the patient fell silent by the detector's clock, ns UTC; None when it was followed until a crash
    """

    record: bytes
    resume_offset: int
    seen: int
    parked_ns: int | None

    @classmethod
    def of(cls, record: bytes) -> "Dormant":
        """What a progress record says of its patient.

        Raises
        ------
        BadProgressError : when the bytes are no progress record of this version
        """
        fields = _parse(record)
        return cls(
            record=record,
            resume_offset=fields["resume_offset"],
            seen=fields["seen"],
            parked_ns=fields["parked_ns"],
        )


def dump(stream: PatientStream, *, parked_ns: int | None = None) -> bytes:
    """What of a stream's state cannot be reread, as JSON.

    ``parked_ns`` is when the patient fell silent by the detector's clock, ns UTC; None while it is followed.
    Samples stand in it only after ``PatientStream.park``, and until the ring has moved on from them.
    """
    snapshot = stream.snapshot()
    source = stream.source
    record: dict[str, Any] = {
        "version": VERSION,
        "source": [source.device, source.fs_hz, source.leads, source.gain, source.baseline],
        "stream_start_ns": stream.stream_start_ns,
        "next_window": stream.next_window,
        "last_window": stream.last_window,
        "next_look": stream.next_look,
        # Later anchors are found again when their chunks are reread.
        "anchors": [a for n, a in enumerate(stream.anchors) if n == 0 or a[0] < stream.restored_end],
        "baseline": stream.baseline.dump(),
        "rhythm": stream.rhythm.dump(),
        "usual_swing": stream.usual_swing.dump(),
        "resume_offset": stream.resume_offset,
        "seen": stream.seen,
        "parked_ns": parked_ns,
        "given_out": list(stream.given_out.items()),
    }
    if snapshot is not None:
        samples, record["runs"] = snapshot
        record["samples"] = base64.b64encode(zlib.compress(samples.tobytes(), level=1)).decode()
        record["notes"] = {n: (w.duplicate_samples, w.clock_jump_ns) for n, w in stream.restored_notes().items()}
    return json.dumps(record, separators=(",", ":")).encode()


def load(patient: str, record: bytes) -> PatientStream:
    """A stream as it stood when ``dump`` wrote the record, its ring empty but for what cannot be reread.

    Raises
    ------
    BadProgressError : when the bytes are no progress record of this version
    """
    fields = _parse(record)
    device, fs_hz, leads, gain, baseline = fields["source"]
    stream = PatientStream.before(
        patient=patient,
        source=Source(device=device, fs_hz=fs_hz, leads=tuple(leads), gain=tuple(gain), baseline=tuple(baseline)),
        stream_start_ns=fields["stream_start_ns"],
        next_window=fields["next_window"],
        anchors=[(index, base_ns) for index, base_ns in fields["anchors"]],
    )
    stream.last_window = fields["last_window"]
    stream.next_look = fields["next_look"]
    stream.baseline = PersonalBaseline.load(fields["baseline"])
    stream.rhythm = RhythmState.load(fields["rhythm"])
    stream.usual_swing = UsualSwing.load(fields["usual_swing"])
    stream.given_out = dict(fields["given_out"])
    stream.start_reading(fields["resume_offset"], seen=fields["seen"])
    if "samples" in fields:
        raw = zlib.decompress(base64.b64decode(fields["samples"]))
        samples: Int16Array = np.frombuffer(raw, np.int16).reshape(-1, len(stream.columns))
        notes = {
            int(window): WindowNotes(duplicate_samples=duplicates, clock_jump_ns=jump_ns)
            for window, (duplicates, jump_ns) in fields["notes"].items()
        }
        stream.restore(samples, [(a, b) for a, b in fields["runs"]], notes)
    return stream


def moved(record: bytes) -> bytes:
    """A patient's record for another partition, in which no message of the patient lies yet.

    Of a patient that was followed, what would have been reread is missing there: it shows as a gap.

    Raises
    ------
    BadProgressError : when the bytes are no progress record of this version
    """
    return json.dumps(_parse(record) | {"resume_offset": 0, "seen": 0}, separators=(",", ":")).encode()


def _parse(record: bytes) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = json.loads(record)
        version = fields["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadProgressError(f"progress record {record[:60]!r} cannot be read: delete the progress topic") from error
    if version != VERSION:
        raise BadProgressError(
            f"progress record of version {version}, this program reads {VERSION}: "
            "drain with the release that wrote it, then delete the progress topic"
        )
    return fields
