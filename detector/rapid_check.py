"""Rapid checks: every second the newest four, measured for what kills within minutes (``ecg.lethal``)."""

from collections.abc import Sequence

import numpy as np

from bus.messages import Quality, Urgent
from detector.batches import in_batches
from detector.due import RapidCheck
from ecg.lethal import CHECK_SAMPLES, Measured, Sign, measure
from ecg.quality import lead_quality
from ecg.second_filter import FilteredSignal

MAX_BATCH = 64  # more at once are no faster each, and a hundred patients' checks need not fill the cache


def measure_checks(checks: Sequence[RapidCheck], signals: Sequence[FilteredSignal]) -> list[Measured]:
    """Measure checks of any patients and sampling rates, in their order; ``signals`` holds that of each."""
    return in_batches(
        list(zip(checks, signals, strict=True)),
        _measure_alike,
        alike=lambda pair: (pair[0].source.fs_hz, len(pair[0].samples), len(pair[0].columns)),
        most=MAX_BATCH,
    )


def _measure_alike(pairs: list[tuple[RapidCheck, FilteredSignal]]) -> list[Measured]:
    return measure(
        np.stack([check.samples for check, _ in pairs]),
        np.stack([signal.resampled[:, -CHECK_SAMPLES:] for _, signal in pairs]),
        np.stack([signal.newest for _, signal in pairs]),
        fs_hz=pairs[0][0].source.fs_hz,
    )


def make_urgent(check: RapidCheck, measured: Measured, judged: int, sign: Sign) -> Urgent:
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
        quality=_quality(check, measured, judged),
        reasons=(sign.reason,),
    )


def _quality(check: RapidCheck, measured: Measured, judged: int) -> Quality:
    quality = lead_quality(
        check.samples[None, :, judged],
        check.source.fs_hz,
        filtered=measured.signal[None],
        known_from=np.zeros(1, np.int64),
        window=CHECK_SAMPLES,
    )
    return Quality.of(quality.fractions(0), quality.flags(0))
