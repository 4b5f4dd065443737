"""Calibration pulses: rectangles of 1 mV and 0.2 s beside the traces."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from paper.rows import Row
from paper.sheet import PX_PER_MM

FloatArray = npt.NDArray[np.float64]

GAINS_MM = (5.0, 10.0, 20.0)  # millimetres of 1 mV
_TOP_MM = (2.0, 14.0)  # length of a pulse's flat top
_HIGH_MM = (3.5, 45.0)  # where the scale is not known yet, a pulse of 20 mm may look so high
_FLAT_MM = 0.8  # a flat top stays within
_RISE_MM = 1.6  # an edge takes no longer
_OWN_PX = 6  # of the line behind a pulse, which are its own
_BREAK_MM = 1.2  # a pulse's line may be broken so far
_SAME_PLACE_MM = 2.5  # pulses of all rows stand so near under each other
_SAME_HEIGHT = 0.12  # by which the pulses of a page may differ


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """A calibration pulse.

    Attributes
    ----------
    begin_px, end_px : columns of its rise and one past its fall
    high_mm : its height
    foot_px : height of the line beside it, pixels downwards: 0 mV
    """

    begin_px: int
    end_px: int
    high_mm: float
    foot_px: float

    @property
    def wide_mm(self) -> float:
        """Its width."""
        return (self.end_px - self.begin_px) / PX_PER_MM


def pulses_in(row: Row) -> list[Pulse]:
    """Return the calibration pulses in a row.

    Parameters
    ----------
    row : a trace
    """
    first, last = row.ends
    y = _bridged(row.y_px)
    found: list[Pulse] = []
    x = first
    while x < last:
        stop = _flat_until(y, x, last)
        pulse = _pulse(y, x, stop) if stop - x >= _TOP_MM[0] * PX_PER_MM else None
        if pulse is not None and not found_before(found, pulse):
            found.append(pulse)
            x = pulse.end_px
        else:
            x += 2
    return found


def agreeing(pulses: list[list[Pulse]]) -> list[list[Pulse]]:
    """Return the pulses that stand under each other in most rows and are as high as each other.

    A flat wave between two steep ones looks like a pulse, in one row or two.

    Parameters
    ----------
    pulses : of each row
    """
    every = [pulse for each in pulses for pulse in each]
    if not every:
        return pulses
    reach = _SAME_PLACE_MM * PX_PER_MM

    def rows_with(one: Pulse) -> int:
        return sum(any(abs(pulse.begin_px - one.begin_px) <= reach for pulse in each) for each in pulses)

    support = {id(pulse): rows_with(pulse) for pulse in every}
    most = max(support.values())
    sure = [pulse for pulse in every if support[id(pulse)] == most]
    high = min(sure, key=lambda pulse: pulse.begin_px).high_mm if most == 1 else _middle_height(sure)
    return [
        [pulse for pulse in each if support[id(pulse)] > most / 2 and abs(pulse.high_mm / high - 1) <= _SAME_HEIGHT]
        for each in pulses
    ]


def _middle_height(pulses: list[Pulse]) -> float:
    return float(np.median([pulse.high_mm for pulse in pulses]))


def _bridged(y: FloatArray) -> FloatArray:
    """The line with short breaks filled: what a pulse is does not hang on them."""
    seen = np.nonzero(np.isfinite(y))[0]
    if len(seen) < 2:
        return y
    filled = np.interp(np.arange(len(y)), seen, y[seen])
    far = np.diff(seen) > _BREAK_MM * PX_PER_MM
    for left, right in zip(seen[:-1][far], seen[1:][far], strict=True):
        filled[left + 1 : right] = np.nan
    filled[: seen[0]] = filled[seen[-1] + 1 :] = np.nan
    return filled


def found_before(found: list[Pulse], pulse: Pulse) -> bool:
    """Return whether a pulse overlaps one that was found."""
    return any(pulse.begin_px < each.end_px for each in found)


def _flat_until(y: FloatArray, begin: int, last: int) -> int:
    """One past the last column up to which a line that begins in one stays level."""
    most = min(last, begin + round(_TOP_MM[1] * PX_PER_MM) + 1)
    part = y[begin:most]
    if not np.isfinite(part[:1]).all():
        return begin
    off = ~(np.abs(part - np.nanmedian(part[: round(_TOP_MM[0] * PX_PER_MM)])) <= _FLAT_MM * PX_PER_MM / 2)
    return begin + (int(np.argmax(off)) if off.any() else len(part))


def _pulse(y: FloatArray, begin: int, stop: int) -> Pulse | None:
    """Return the pulse whose flat top lies between two columns."""
    if stop - begin > _TOP_MM[1] * PX_PER_MM:
        return None
    rise = round(_RISE_MM * PX_PER_MM)
    top = float(np.median(y[begin:stop]))
    before, after = y[max(0, begin - rise) : begin], y[stop : stop + rise]
    least = top + _HIGH_MM[0] * PX_PER_MM
    feet = []
    for side in (before[::-1], after):
        low = np.nonzero(side >= least)[0]
        if len(low):
            left = y[max(0, begin - 2 * rise) : max(0, begin - int(low[0]))]
            beyond = y[stop + low[0] : stop + 2 * rise] if side is after else left
            feet.append(float(np.nanmedian(beyond)) if np.isfinite(beyond).any() else np.nan)
    feet = [each for each in feet if np.isfinite(each)]
    if len(feet) < 2 or abs(feet[0] - feet[1]) > 1.5 * PX_PER_MM:
        return None
    # The line before the rise is the pulse's own; behind its fall the trace may begin, at another level.
    lead_in = y[max(0, begin - 2 * rise) : begin]
    lead_in = lead_in[lead_in >= least]
    behind = y[stop : stop + 2 * rise]
    behind = behind[behind >= least][:_OWN_PX]
    foot = float(np.median(lead_in)) if len(lead_in) >= 3 else float(np.median(behind)) if len(behind) else feet[-1]
    high = (foot - top) / PX_PER_MM
    if not _HIGH_MM[0] <= high <= _HIGH_MM[1]:
        return None
    # The edges stand where the line crosses half of the height.
    half = (foot + top) / 2
    rises, falls = before[::-1] > half, after > half
    first = begin - int(np.argmax(rises)) if rises.any() else begin
    last = stop + int(np.argmax(falls)) if falls.any() else stop
    return Pulse(begin_px=first, end_px=last, high_mm=high, foot_px=foot)


def nearest_gain(high_mm: float) -> float:
    """Return the gain that a pulse's height stands for, mm/mV."""
    return min(GAINS_MM, key=lambda gain: abs(np.log(high_mm / gain)))
