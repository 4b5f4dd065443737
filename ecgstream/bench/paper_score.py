"""The figures of a page that was read against what was drawn on it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg.beats import find_beats
from ecg.filters import band_pass
from paper.reading import FS_HZ, PageReading, ReadLead
from paper.rendering import DrawnPage, DrawnTrace

FloatArray = npt.NDArray[np.float64]

SHIFT_S = 0.1  # by which a lead's beginning may be off before it counts as error
_STEP_S = 0.002
UNREADABLE_DB = 3.0  # below it nothing is to be made of a lead
MATCH_S = 0.075  # between a beat on paper and the same one in the samples


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadScore:
    """Figures of one lead.

    Attributes
    ----------
    lead : its name
    decibel : power of the samples over that of the error, dB; missing samples count as 0 mV
    shift_s : by which its beginning was off
    named : whether the lead at its place bears its name
    said : whether its confidence is under a half
    gain : slope of what was read on what was drawn
    """

    lead: str
    decibel: float
    shift_s: float
    named: bool
    said: bool
    gain: float


def score_page(reading: PageReading, drawn: DrawnPage) -> list[LeadScore]:
    """Return the figures of each lead that was drawn.

    Parameters
    ----------
    reading : of the page
    drawn : its truth
    """
    scores = []
    for trace in drawn.traces:
        near = lead_at(reading, trace)
        named = near is not None and near.cell.lead == trace.lead and abs(near.start_s - trace.start_s) < 0.5
        if near is None:
            scores.append(LeadScore(lead=trace.lead, decibel=0.0, shift_s=0.0, named=False, said=True, gain=0.0))
            continue
        scores.append(_score(near, trace, drawn.fs_hz, named=named))
    return scores


def lead_at(reading: PageReading, trace: DrawnTrace) -> ReadLead | None:
    """Return the lead that was read where a trace was drawn, whatever it is named; None where none was.

    Parameters
    ----------
    reading : of the page
    trace : one that was drawn
    """
    at_place = [lead for lead in reading.leads if lead.cell.row == trace.row]
    return min(at_place, key=lambda lead: abs(lead.start_s - trace.start_s), default=None)


def _score(lead: ReadLead, trace: DrawnTrace, fs_hz: float, *, named: bool) -> LeadScore:
    truth = trace.samples_mv - trace.samples_mv.mean()
    time_s = np.arange(len(truth)) / fs_hz
    got = np.nan_to_num(lead.samples_mv)
    own_s = np.arange(len(got)) / FS_HZ
    best = (-99.0, 0.0, 0.0)
    for shift_s in np.arange(-SHIFT_S, SHIFT_S + _STEP_S / 2, _STEP_S):
        moved = np.interp(time_s - shift_s, own_s, got, left=0.0, right=0.0)
        error = truth - moved
        error = error - error.mean()
        decibel = 10 * np.log10(float((truth**2).sum()) / max(float((error**2).sum()), 1e-12))
        if decibel > best[0]:
            gain = float((truth * (moved - moved.mean())).sum() / (truth**2).sum())
            best = (float(decibel), float(shift_s), gain)
    confidence = float(np.mean(lead.confidence)) if lead.confidence else 0.0
    return LeadScore(
        lead=trace.lead, decibel=best[0], shift_s=best[1], named=named, said=confidence < 0.5, gain=best[2]
    )


def beats_of(samples_mv: FloatArray, fs_hz: float) -> npt.NDArray[np.int64]:
    """Return the QRS complexes of a lead, sample positions."""
    return find_beats(band_pass(np.nan_to_num(samples_mv).astype(np.float32), fs_hz), fs_hz)


def matched_beats(found_s: FloatArray, true_s: FloatArray) -> int:
    """Return how many beats are found once, each at the nearest place within 75 ms."""
    left = list(found_s)
    hits = 0
    for beat in true_s:
        near = min(left, key=lambda each: abs(each - beat), default=None)
        if near is not None and abs(near - beat) <= MATCH_S:
            left.remove(near)
            hits += 1
    return hits
