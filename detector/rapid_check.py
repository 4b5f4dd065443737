"""Rapid checks: every second the newest four, measured for what kills within minutes (``ecg.lethal``)."""

from collections.abc import Sequence

import numpy as np

from bus.messages import Quality, Urgent
from detector.batches import in_batches
from detector.due import RapidCheck
from ecg.filters import resample
from ecg.holes import fill
from ecg.lethal import Measured, Sign, measure
from ecg.quality import lead_quality
from ecg.records import MISSING
from ecg.segments import MODEL_FS_HZ

MAX_BATCH = 64  # more at once are no faster each, and a hundred patients' checks need not fill the cache


def measure_checks(checks: Sequence[RapidCheck]) -> list[Measured]:
    """Measure checks of any patients and sampling rates, in their order."""
    return in_batches(
        checks, _measure_alike, alike=lambda check: (check.source.fs_hz, len(check.columns)), most=MAX_BATCH
    )


def _measure_alike(checks: list[RapidCheck]) -> list[Measured]:
    sources = [(check.source, check.columns) for check in checks]
    return measure(
        np.stack([check.samples for check in checks]),
        fs_hz=checks[0].source.fs_hz,
        gain=np.array([[source.gain[column] for column in columns] for source, columns in sources]),
        baseline=np.array([[source.baseline[column] for column in columns] for source, columns in sources]),
    )


def make_urgent(check: RapidCheck, judged: int, sign: Sign) -> Urgent:
    """The message on a check in which a sign was found in one of its columns."""
    return Urgent(
        id=check.id,
        patient=check.stream.patient,
        device=check.source.device,
        stream_start_ns=check.stream.start_ns,
        second=check.second,
        kind=sign.kind,
        start_ns=check.start_ns + round(sign.from_s * 1e9),
        end_ns=check.end_ns,
        lead=check.lead(judged),
        value=sign.value,
        limit=sign.limit,
        unit=sign.unit,
        quality=_quality(check, judged),
        reasons=(sign.reason,),
    )


def _quality(check: RapidCheck, judged: int) -> Quality:
    source, column = check.source, check.columns[judged]
    raw = check.samples[None, :, judged]
    millivolts = ((raw.astype(np.float32) - source.baseline[column]) / source.gain[column]).astype(np.float32)
    fill(millivolts[0], raw[0] == MISSING)
    measured = lead_quality(
        raw,
        source.fs_hz,
        resampled=resample(millivolts, source.fs_hz, to_hz=MODEL_FS_HZ),
        resampled_hz=MODEL_FS_HZ,
    )
    return Quality.of(measured.fractions(0), measured.flags(0))
