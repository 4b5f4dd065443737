"""The scale of an ECG, seen by its size: a wrong unit in a header makes it a thousand times too large or small."""

from collections.abc import Sequence

import numpy as np

from ecg.errors import EcgStreamError
from ecg.quantise import MAX_SPAN_MV
from ecg.records import MISSING, Recording

MIN_SPAN_MV = 0.02  # from peak to peak; the smallest lead of the smallest ECG has five times that
UNITS = ("mV", "uV", "V")  # that may be meant
_MIN_STEPS = 20  # of the converter: what moves less is a lead that is off, whatever its scale
_STRETCH_S = 10.0
_STRETCHES = 8  # that are looked at, spread over the recording
_ENDS = (1, 99)  # percentiles that a span reaches from and to: a single wild sample is none


def odd_span_mv(recording: Recording) -> float | None:
    """Return what an ECG spans, mV, where every lead is too large or too small for one; else None."""
    spans = [span for span, steps in _spans_mv(recording) if steps >= _MIN_STEPS]
    if spans and (min(spans) > MAX_SPAN_MV or max(spans) < MIN_SPAN_MV):
        return float(np.median(spans))
    return None


def wrong_unit(file: str, span_mv: float, right: Sequence[str]) -> EcgStreamError:
    """Return the error that the unit of a file is wrong.

    Parameters
    ----------
    file : its name
    span_mv : what its ECG spans by it
    right : units by which it would be an ECG
    """
    way = f"give {' or '.join(right)} as its unit" if right else "give the file with the right gain or range in it"
    return EcgStreamError(
        f"{file}: by what it says its ECG spans {_rounded(span_mv)} mV, outside {MIN_SPAN_MV:g} to {MAX_SPAN_MV:g}: "
        f"its unit is wrong: {way}"
    )


def _rounded(span_mv: float) -> str:
    """A span without an exponent."""
    return f"{span_mv:.3g}" if span_mv < 1000 else f"{span_mv:.0f}"


def _spans_mv(recording: Recording) -> list[tuple[float, float]]:
    """Of each lead, the usual span of ten seconds of it, in mV and in steps of the converter."""
    length = min(round(_STRETCH_S * recording.fs_hz), recording.length)
    starts = np.unique(np.linspace(0, recording.length - length, _STRETCHES).astype(int)).tolist()
    found: list[list[float]] = [[] for _ in recording.leads]
    for start in starts:
        piece = recording.part(start, start + length)
        for lead in range(len(recording.leads)):
            taken = piece[:, lead][piece[:, lead] != MISSING]
            if len(taken):
                found[lead].append(float(np.subtract(*np.percentile(taken, _ENDS[::-1]))))
    steps = [float(np.median(each)) if each else 0.0 for each in found]
    return [(each / gain, each) for each, gain in zip(steps, recording.gain, strict=True)]
