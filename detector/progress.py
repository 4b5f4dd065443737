"""A patient's state in the detector as a record on the compacted progress topic, and the way back from it.

Records of this release's version are written; those of the one before are read, too.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bus.offsets import Offsets
from bus.samples import Source
from detector.baseline import PersonalBaseline
from detector.candidate import Candidate
from detector.due import StreamId
from detector.judgement import BeatEvidence, JudgedBeat, ReportedBeats
from detector.patient import PatientContext
from detector.patient_streams import PatientStreams
from detector.rereading import Rereading, Target
from detector.stream import PatientStream, WindowNotes
from ecg.errors import EcgStreamError
from ecg.records import Int16Array
from ecg.rhythm_state import RhythmState
from ecg.usual_swing import UsualSwing
from ecg.windows import HOP_S

VERSION = 8
READ_VERSIONS = (7, 8)


class BadProgressError(EcgStreamError):
    """A progress record that this program cannot read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dormant:
    """A patient who is not followed: a stub, since there may be thousands for days.

    Attributes
    ----------
    resume_offset, seen : the first message that is not in its state, and the one behind the last taken in
    parked_ns : when the patient fell silent by the detector's clock, ns UTC; None when it was followed until a crash
    offset : where its record lies on the progress topic; None until that is known
    record : the progress record, until ``offset`` is known, once it has been fetched, and for a while after a crash
    """

    resume_offset: int
    seen: int
    parked_ns: int | None
    offset: int | None
    record: bytes | None

    @classmethod
    def of(cls, record: bytes, offset: int | None = None, *, hop_s: int = HOP_S) -> "Dormant":
        """Return what a progress record says of its patient, whose windows are to be ``hop_s`` apart.

        It is kept unless ``offset`` says where it lies; of who was followed until a crash it is kept even then, since
        they return at once, and all together.

        Raises
        ------
        BadProgressError : when the bytes are no progress record of this version or the one before, or of another hop
        """
        fields = _parse(record)
        before = {_hop_s(stream) for stream in fields["streams"]}
        if before - {hop_s}:
            raise BadProgressError(
                f"hop_s={hop_s} s, but the progress record was written with {min(before)} s, by which its windows are "
                f"numbered: set ECGSTREAM_DETECTOR_HOP_S={min(before)}, or stop all detectors and delete the progress "
                "topic: every patient then begins a new stream"
            )
        parked_ns = fields["parked_ns"]
        return cls(
            resume_offset=fields["resume_offset"],
            seen=fields["seen"],
            parked_ns=parked_ns,
            offset=offset,
            record=record if offset is None or parked_ns is None else None,
        )


def dump(
    patient: PatientStreams, contexts: Mapping[StreamId, PatientContext], *, parked_ns: int | None = None
) -> bytes:
    """Return what of a patient's state cannot be reread, as JSON.

    Samples stand in it only after ``PatientStreams.park``, and until the ring has moved on from them.

    Parameters
    ----------
    patient : its streams
    contexts : by stream, of those of which something was judged
    parked_ns : when the patient fell silent by the detector's clock, ns UTC; None while it is followed
    """
    record: dict[str, Any] = {
        "version": VERSION,
        "resume_offset": patient.resume_offset,
        "seen": patient.seen,
        "parked_ns": parked_ns,
        "given_out": list(patient.given_out.items()),
        "strayed": patient.strayed,
        "streams": [_dump_stream(stream, contexts.get(stream.id, PatientContext())) for stream in patient.streams],
    }
    if not patient.plain:
        record["held"] = [stream.held() for stream in patient.streams]
        record["candidates"] = [candidate.dump(patient.signal_ns) for candidate in patient.candidates]
    return json.dumps(record, separators=(",", ":")).encode()


def load(patient: str, record: bytes) -> tuple[PatientStreams, dict[StreamId, PatientContext]]:
    """A patient's state as it stood when ``dump`` wrote the record, rings empty but for what cannot be reread.

    Raises
    ------
    BadProgressError : when the bytes are no progress record of this version or the one before
    """
    fields = _parse(record)
    streams = PatientStreams([_load_stream(patient, each) for each in fields["streams"]])
    contexts = {stream.id: _load_context(each) for stream, each in zip(streams.streams, fields["streams"], strict=True)}
    streams.seen = fields["seen"]
    streams.strayed = fields["strayed"]
    streams.given_out = dict(fields["given_out"])
    loaded = [Candidate.load(each) for each in fields.get("candidates", ())]
    streams.candidates = [candidate for candidate, _ in loaded]
    if "held" in fields:
        awaited: list[tuple[Target, Sequence[int]]] = [*zip(streams.streams, fields["held"], strict=True), *loaded]
        streams.rereading = Rereading(awaited, resume_offset=fields["resume_offset"])
    else:
        streams.rereading = Rereading((), resume_offset=fields["resume_offset"], rest_into=streams.streams[0])
    return streams, contexts


def _dump_stream(stream: PatientStream, context: PatientContext) -> dict[str, Any]:
    record: dict[str, Any] = {
        "source": stream.source.dump(),
        "stream_start_ns": stream.stream_start_ns,
        "hop_s": stream.grid.hop_s,
        "next_window": stream.next_window,
        "last_window": stream.last_window,
        "first_window": stream.first_window,
        "lacking": stream.lacking,
        "next_look": stream.next_check,
        # Later anchors are found again when their chunks are reread.
        "anchors": [a for n, a in enumerate(stream.anchors) if n == 0 or a[0] < stream.restored_end],
        "baseline": context.baseline.dump(),
        "reported": context.reported,
        "rhythm": context.rhythm.dump(),
        "usual_swing": context.usual_swing.dump(),
        "taken": stream.taken,
        "heard_ms": stream.heard_ms,
    }
    snapshot = stream.snapshot()
    if snapshot is not None:
        samples, record["runs"] = snapshot
        record["samples"] = _packed(samples.tobytes())
        record["notes"] = {
            n: (w.duplicate_samples, w.clock_jump_ns, w.clock_jumps_abs_ns) for n, w in stream.restored_notes().items()
        }
    return record


def _load_stream(patient: str, fields: dict[str, Any]) -> PatientStream:
    stream = PatientStream.before(
        patient=patient,
        source=Source.load(fields["source"]),
        stream_start_ns=fields["stream_start_ns"],
        next_window=fields["next_window"],
        anchors=[(index, base_ns) for index, base_ns in fields["anchors"]],
        hop_s=_hop_s(fields),
    )
    stream.last_window = fields["last_window"]
    stream.first_window = fields["first_window"]
    stream.lacking = [(start, end) for start, end in fields["lacking"]]
    stream.next_check = fields["next_look"]
    stream.taken = fields["taken"]
    stream.heard_ms = fields["heard_ms"]
    if "samples" in fields:
        raw = zlib.decompress(base64.b64decode(fields["samples"]))
        samples: Int16Array = np.frombuffer(raw, np.int16).reshape(-1, len(stream.columns))
        notes = {
            int(window): WindowNotes(duplicate_samples=duplicates, clock_jump_ns=jump_ns, clock_jumps_abs_ns=abs_ns)
            for window, (duplicates, jump_ns, abs_ns) in fields["notes"].items()
        }
        stream.restore(samples, [(a, b) for a, b in fields["runs"]], notes)
    return stream


def _hop_s(stream: dict[str, Any]) -> int:
    return int(stream.get("hop_s", HOP_S))  # records written before there was a choice have none


def _load_context(fields: dict[str, Any]) -> PatientContext:
    return PatientContext(
        baseline=PersonalBaseline.load(fields["baseline"]),
        reported=_load_reported(*fields["reported"]),
        rhythm=RhythmState.load(fields["rhythm"]),
        usual_swing=UsualSwing.load(fields["usual_swing"]),
    )


def _load_reported(evidence: Sequence[Sequence[Any]], provisional: Sequence[Any] | None) -> ReportedBeats:
    return ReportedBeats(
        evidence=tuple(BeatEvidence(*beat) for beat in evidence),
        provisional=None if provisional is None else JudgedBeat(*provisional),
    )


def moved(record: bytes) -> bytes:
    """A patient's record for another partition, in which no message of the patient lies yet.

    Of a patient that was followed, what would have been reread is missing there: it shows as a gap.

    Raises
    ------
    BadProgressError : when the bytes are no progress record of this version
    """
    fields = _parse(record) | {"resume_offset": 0, "seen": 0, "strayed": -1}
    streams = [stream | {"taken": -1} for stream in fields["streams"]]
    candidates = [candidate | {"held": []} for candidate in fields.get("candidates", ()) if candidate["kept"]]
    fields |= {"version": VERSION, "streams": streams, "candidates": candidates, "held": [[] for _ in streams]}
    return json.dumps(fields, separators=(",", ":")).encode()


def translated(record: bytes, offsets: Offsets) -> bytes:
    """A patient's record for a partition in which its messages lie at other offsets.

    Raises
    ------
    BadProgressError : when the bytes are no progress record of this version or the one before
    """
    fields = _parse(record)
    fields |= {
        "version": VERSION,
        "resume_offset": offsets.next(fields["resume_offset"]),
        "seen": offsets.next(fields["seen"]),
        "strayed": offsets.last(fields["strayed"]),
        "streams": [stream | {"taken": offsets.last(stream["taken"])} for stream in fields["streams"]],
    }
    if "held" in fields:
        fields["held"] = [_there(held, offsets) for held in fields["held"]]
    if "candidates" in fields:
        fields["candidates"] = [
            candidate
            | {
                "began": offsets.last(candidate["began"]),
                "kept": [[offsets.last(offset), *rest] for offset, *rest in candidate["kept"]],
                "held": _there(candidate["held"], offsets),
            }
            for candidate in fields["candidates"]
        ]
    return json.dumps(fields, separators=(",", ":")).encode()


def _there(held: Sequence[int], offsets: Offsets) -> list[int]:
    return [offsets.next(offset) for offset in held if offsets.there(offset)]


def _parse(record: bytes) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = json.loads(record)
        version = fields["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadProgressError(f"progress record {record[:60]!r} cannot be read: delete the progress topic") from error
    if version not in READ_VERSIONS:
        raise BadProgressError(
            f"progress record of version {version}, this program reads {READ_VERSIONS[0]} and {READ_VERSIONS[-1]}: "
            "drain with the release that wrote it, then delete the progress topic"
        )
    return _of_version_7(fields) if version == READ_VERSIONS[0] else fields


def _of_version_7(fields: dict[str, Any]) -> dict[str, Any]:
    """A record of the release before, whose beats were never corrected, as one of this release."""
    for stream in fields["streams"]:
        stream["baseline"].append(None)
        stream["reported"] = [stream.pop("evidence"), None]
    return fields


def _packed(samples: bytes) -> str:
    return base64.b64encode(zlib.compress(samples, level=1)).decode()
