"""Looks: every second at the newest four, for what kills within minutes (``ecg.lethal``)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bus.messages import Quality, Urgent
from ecg.filters import resample
from ecg.holes import fill
from ecg.lethal import Measured, Sign, judge, measure
from ecg.quality import lead_quality
from ecg.records import MISSING, Float32Array, Int16Array
from ecg.segments import MODEL_FS_HZ

if TYPE_CHECKING:
    from detector.stream import PatientStream

MAX_BATCH = 64  # more at once are no faster each, and a hundred patients' looks need not fill the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class DueLook:
    """Four seconds of a patient's signal, ready to be looked at.

    Attributes
    ----------
    stream : the stream that it is of, which knows what is usual
    second : seconds from the stream's sample 0 to its end: the look's number
    start_ns, end_ns : its span by the device's clock, ns UTC
    samples : (n, columns) int16, ``MISSING`` where nothing came; columns as ``stream.columns``, the lead to judge first
    offset : offset of the message that made it due
    """

    stream: "PatientStream" = field(repr=False, compare=False)
    second: int
    start_ns: int
    end_ns: int
    samples: Int16Array
    offset: int


def measure_looks(looks: Sequence[DueLook]) -> list[Measured]:
    """Measure looks of any patients and sampling rates, in their order."""
    groups: dict[tuple[float, int], list[int]] = defaultdict(list)
    for number, look in enumerate(looks):
        groups[look.stream.source.fs_hz, look.samples.shape[1]].append(number)
    measured: dict[int, Measured] = {}
    for numbers in groups.values():
        for first in range(0, len(numbers), MAX_BATCH):
            part = numbers[first : first + MAX_BATCH]
            measured.update(zip(part, _measure_alike([looks[n] for n in part]), strict=True))
    return [measured[number] for number in range(len(looks))]


def judge_look(look: DueLook, measured: Measured) -> Urgent | None:
    """What is to be told of a look; notes in the stream what is usual.

    Looks and verdicts of a stream are to be made in the order in which they were due.
    """
    stream = look.stream
    usual_qrs: Float32Array | None = None
    # Which point of a QRS is its peak, and which QRS is usual, is not sure in a stand-in for a lead with holes: whether
    # its beats are strange is left to the windows.
    if measured.judged is not None and (measured.judged == 0 or measured.off[0]):
        usual_qrs = stream.baseline.usual_qrs(_lead(look, measured.judged))
    stream.usual_swing, sign = judge(measured, stream.usual_swing, usual_qrs)
    if sign is None or measured.judged is None:
        return None
    return _urgent(look, measured.judged, sign)


def _measure_alike(looks: list[DueLook]) -> list[Measured]:
    sources = [(look.stream.source, look.stream.columns) for look in looks]
    return measure(
        np.stack([look.samples for look in looks]),
        fs_hz=looks[0].stream.source.fs_hz,
        gain=np.array([[source.gain[column] for column in columns] for source, columns in sources]),
        baseline=np.array([[source.baseline[column] for column in columns] for source, columns in sources]),
    )


def _lead(look: DueLook, judged: int) -> str:
    return look.stream.source.leads[look.stream.columns[judged]]


def _urgent(look: DueLook, judged: int, sign: Sign) -> Urgent:
    stream = look.stream
    return Urgent(
        id=f"{stream.patient}/{stream.stream_start_ns}/{look.second}s",
        patient=stream.patient,
        device=stream.source.device,
        stream_start_ns=stream.stream_start_ns,
        second=look.second,
        kind=sign.kind,
        start_ns=look.start_ns + round(sign.from_s * 1e9),
        end_ns=look.end_ns,
        lead=_lead(look, judged),
        value=sign.value,
        limit=sign.limit,
        unit=sign.unit,
        quality=_quality(look, judged),
        reasons=(sign.reason,),
    )


def _quality(look: DueLook, judged: int) -> Quality:
    source, column = look.stream.source, look.stream.columns[judged]
    raw = look.samples[None, :, judged]
    millivolts = ((raw.astype(np.float32) - source.baseline[column]) / source.gain[column]).astype(np.float32)
    fill(millivolts[0], raw[0] == MISSING)
    measured = lead_quality(
        raw,
        source.fs_hz,
        resampled=resample(millivolts, source.fs_hz, to_hz=MODEL_FS_HZ),
        resampled_hz=MODEL_FS_HZ,
    )
    parts = (measured.missing, measured.flat, measured.clipped, measured.noise)
    missing, flat, clipped, noise = (round(float(each[0]), 4) for each in parts)
    return Quality(missing=missing, flat=flat, clipped=clipped, noise=noise, flags=cast("Any", measured.flags(0)))
