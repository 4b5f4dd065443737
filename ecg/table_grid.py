"""Sampling rate of a table and the place of each row, from its times or its counter. Pure.

Times may be exact, rounded, jittered, or those of packets whose samples share one; a counter may begin anew wherever
its bits end. Rows that are missing leave a gap; what shows none is taken to follow on.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.records import MAX_FS_HZ, MIN_FS_HZ
from ecg.table_times import Times

MAX_GAP_S = 3600.0  # a longer pause is another recording
_SCALES_S = (1.0, 1e-3, 1e-6, 1e-9, 86_400.0, 60.0, 3600.0)  # what one of a number may be, the likeliest first
_DIFFERS = 0.02  # of the rate, by which what is given and what the times say may differ
_EVEN = 0.15  # of the median step: spread of the steps below which times are even
_MOSTLY = 0.8  # of the steps: the others are pauses
_LEAST_FILLED = 0.3  # of the time, by its rows: less, and the rate is another
_OFTEN = 0.03  # of the steps: single rows are lost so often, packets end so often
_USUAL_HZ = (100, 120, 125, 128, 130, 200, 240, 250, 256, 300, 333, 360, 400, 480, 500, 512, 600, 800, 960, 1000)
_NEAR = 0.005  # of a usual rate: what is measured on packets is that
_MIN_PACKETS = 6
_ADDS_UP = 3.0  # times the spread of the steps, by which times wander off an even pace only if their errors add up
_PAUSE = 8  # times the usual step between packets: jitter makes no such step
_CLOCK_TURNS_S = (86_400.0, 43_200.0, 3600.0, 60.0)
_HOUR_S = 3600.0
_LATE_S = 0.25  # a packet may come so much later than its samples were taken
_FEW_STEPS, _PAUSES = 20, 3  # of more steps than that, so many may be pauses that tell nothing of the rate
_AROUND = 8  # packets whose lateness is compared

_Floats = npt.NDArray[np.float64]
_Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The rate, and where each row lies.

    Attributes
    ----------
    fs_hz : sampling rate, Hz
    places : (rows,) each row's sample number, ascending; None where the rows follow one another
    remark : what of it was reckoned, for whoever sent the file; "" where nothing was
    even : whether each row has a time of its own, or shows by itself where rows are missing
    """

    fs_hz: float
    places: _Places | None
    remark: str = ""
    even: bool = True


class NoRateError(EcgStreamError):
    """Times that tell no rate, where none is given."""


def grid_of_times(times: Times, *, unit_s: float | None, fs_hz: float | None, said_hz: float | None, name: str) -> Grid:
    """Return the grid that a column of times tells.

    Parameters
    ----------
    times : of every row
    unit_s : seconds in one of its numbers; None where nobody says
    fs_hz : the rate that somebody gives, which times that tell none leave to him
    said_hz : the rate that stands above the table, which even times outweigh
    name : file and column, for messages

    Raises
    ------
    NoRateError : when neither the times nor anybody tells a rate
    EcgStreamError : when the times go back, pause for an hour, or tell another rate than is given
    """
    given = fs_hz or said_hz
    seconds = _whole(times.values)
    if len(seconds) < 2 or np.ptp(seconds) == 0:
        if given is None:
            raise NoRateError(f"{name} tells no rate: give the sampling rate in Hz (fs_hz)")
        return Grid(fs_hz=given, places=None, even=False)
    if times.form == "number":
        scaled = _scaled(seconds, unit_s, given, name)
        if scaled is None and given is not None:  # times of another pace tell nothing
            return Grid(fs_hz=given, places=None, even=False)
        seconds = seconds if scaled is None else scaled
    seconds = _unwound(seconds, times, name)
    steps = np.diff(seconds)
    if steps.max() > MAX_GAP_S:
        row = int(np.argmax(steps)) + 1
        raise EcgStreamError(
            f"{name} pauses for more than {MAX_GAP_S:g} s behind row {row} ({steps.max():.0f} s): "
            "split it there into two files"
        )
    usual = float(np.median(steps))
    if usual > 0 and _are_even(steps, usual):
        return _even(seconds, steps, fs_hz=fs_hz, said_hz=said_hz, name=name)
    return _by_packets(seconds, fs_hz=given, name=name)


def _whole(values: _Floats) -> _Floats:
    """The times, with those between their neighbours that are missing."""
    known = np.flatnonzero(np.isfinite(values))
    if len(known) in {0, len(values)}:
        return values - values[0] if len(known) else np.zeros(len(values))
    return np.asarray(np.interp(np.arange(len(values)), known, values[known] - values[known[0]]), np.float64)


def _scaled(values: _Floats, unit_s: float | None, fs_hz: float | None, name: str) -> _Floats | None:
    """Numbers as seconds: by their unit, by the rate that is given, or by what makes a rate; None by no unit."""
    steps = np.diff(values)
    forward = np.sort(steps[steps >= 0])
    if np.sum(forward > 0) > _FEW_STEPS:
        forward = forward[:-_PAUSES]
    step = float(np.median(forward))
    blurred = (
        len(forward) > _FEW_STEPS
        and bool(step < 0.5 * forward.mean())
        and not _is_pace(steps, step, fs_hz, [unit_s] if unit_s else list(_SCALES_S))
    )
    if blurred:  # packets: the mean step is near the truth
        step = float(forward.mean())
    if step <= 0:
        return values
    scales = [unit_s] if unit_s else list(_SCALES_S)
    if fs_hz is not None:
        if unit_s is None and step == 1 and not np.any(values % 1) and abs(fs_hz / MAX_FS_HZ - 1) > _DIFFERS:
            return values / fs_hz  # it counts rows
        near = min(_SCALES_S, key=lambda scale: abs(np.log(step * scale * fs_hz)))
        return next((values * scale for scale in (*scales, near) if 0.3 < step * scale * fs_hz < 3), None)
    if unit_s is None and step == 1 and not np.any(values % 1):
        raise NoRateError(
            f"{name} grows by 1 a row, which may be milliseconds or row numbers: give the sampling rate in Hz "
            f"(fs_hz; {MAX_FS_HZ:g} if they are milliseconds)"
        )
    for scale in scales:
        if 1 / MAX_FS_HZ * 0.99 <= step * scale <= 1 / MIN_FS_HZ * 1.01:
            return values * scale
    # Pauses blur the mean step: the nearest unit within a factor of ten, or nobody knows.
    middle = 1 / np.sqrt(MIN_FS_HZ * MAX_FS_HZ)
    near = min(scales, key=lambda scale: abs(np.log(step * scale / middle)))
    if unit_s is not None or (blurred and 0.1 / MAX_FS_HZ <= step * near <= 10 / MIN_FS_HZ):
        return values * near
    raise NoRateError(
        f"{name} moves by {step:g} a row, which is no rate from {MIN_FS_HZ:g} to {MAX_FS_HZ:g} Hz in any unit of time: "
        "give the sampling rate in Hz (fs_hz)"
    )


def _is_pace(steps: _Floats, step: float, fs_hz: float | None, scales: list[float]) -> bool:
    """Return whether nearly all steps are alike and make a rate: what is left are pauses between stretches."""
    alike = np.abs(steps - step) <= _EVEN * step
    if step <= 0 or float(np.mean(alike)) < _MOSTLY:
        return False
    rates = [1 / (float(steps[alike].mean()) * scale) for scale in scales]  # the mean: times are rounded
    if fs_hz is not None:
        return any(abs(rate / fs_hz - 1) <= _DIFFERS for rate in rates)
    return any(abs(usual / rate - 1) <= _NEAR for rate in rates for usual in _USUAL_HZ)


def _unwound(seconds: _Floats, times: Times, name: str) -> _Floats:
    """Times that only go on: over midnight, over the end of a counter's bits, over a change to or from summer time."""
    steps = np.diff(seconds)
    back = np.flatnonzero(steps < 0)
    usual = float(np.median(steps[steps >= 0])) if len(back) < len(steps) else 0.0
    shift = np.zeros(len(seconds))
    local = times.form == "clock" or (times.form == "date" and not times.zoned)
    if local:
        for row in np.flatnonzero(np.abs(steps - _HOUR_S) <= max(2 * usual, 0.05)):
            shift[row + 1 :] -= _HOUR_S
    for row in back:
        drop = float(-steps[row])
        turn = _turn(drop, times, local=local, span=float(np.ptp(seconds)), usual=usual)
        if turn is None:
            raise EcgStreamError(f"{name}, row {row + 2}: the time goes back by {drop:g} s: sort the rows by time")
        shift[row + 1 :] += turn
    return seconds + shift


def _turn(drop: float, times: Times, *, local: bool, span: float, usual: float) -> float | None:
    """Return what is added where times fall back: a day, an hour, a counter's turn; None if not sorted."""
    slack = max(5 * usual, 2.0)
    if times.form == "clock":
        return next((turn for turn in _CLOCK_TURNS_S if abs(drop - turn) <= min(slack + 60, turn / 4)), None)
    if local and abs(drop - _HOUR_S) <= slack:
        return _HOUR_S
    if times.form == "number" and drop > 0.5 * span:
        return drop + usual
    return None


def _are_even(steps: _Floats, usual: float) -> bool:
    longer = steps > 1.5 * usual
    if np.mean(longer) > _OFTEN and usual < 0.5 * np.mean(steps):
        return False  # packets whose rows are put close to one another
    within = steps[~longer]
    return float(np.mean(np.abs(within - usual) > 0.6 * usual)) < 0.001 and float(np.std(within)) < 0.5 * usual


def _even(seconds: _Floats, steps: _Floats, *, fs_hz: float | None, said_hz: float | None, name: str) -> Grid:
    rate = _rate(seconds, steps)
    if fs_hz is not None:
        if abs(rate / fs_hz - 1) > _DIFFERS:
            raise EcgStreamError(
                f"{name} says {rate:.6g} Hz, the argument fs_hz={fs_hz:g}: give one of them, that rate or the times"
            )
        rate = fs_hz
    elif said_hz is not None and abs(rate / said_hz - 1) <= _DIFFERS:
        rate = said_hz
    if not np.any(steps > 1.5 * np.median(steps)):
        return Grid(fs_hz=rate, places=None)
    if float(np.std(steps[steps <= 1.5 * np.median(steps)])) > _EVEN * np.median(steps):
        return _by_packets(seconds, fs_hz=rate, name=name)
    places = np.round(seconds * rate).astype(np.int64)
    if np.any(np.diff(places) <= 0):
        return _by_packets(seconds, fs_hz=rate, name=name)
    return Grid(fs_hz=rate, places=places)


def _rate(seconds: _Floats, steps: _Floats) -> float:
    """The rate from the longest stretch without a missing row, so that rounded times average out."""
    breaks = np.flatnonzero(steps > 1.5 * np.median(steps))
    edges = np.concatenate(([0], breaks + 1, [len(seconds)]))
    longest = int(np.argmax(np.diff(edges)))
    first, last = int(edges[longest]), int(edges[longest + 1]) - 1
    rate = float((last - first) / (seconds[last] - seconds[first]))
    # Times rounded to a unit u are off by at most u over the stretch; a whole rate within that is meant.
    unit = float(np.ptp(steps[first:last])) if last - first > 1 else 0.0
    slack = max(unit / (seconds[last] - seconds[first]), 1e-6)
    return float(round(rate)) if abs(rate - round(rate)) <= rate * slack else rate


def _by_packets(seconds: _Floats, *, fs_hz: float | None, name: str) -> Grid:
    """The grid of times that many rows share, or that jitter: the rows follow on, but where time runs ahead of them."""
    mean = float(seconds[-1] - seconds[0]) / (len(seconds) - 1)
    heads = np.concatenate(([0], np.flatnonzero(np.diff(seconds) > 0.25 * mean) + 1))
    if len(heads) < 3:
        if fs_hz is None:
            raise NoRateError(f"{name} tells no rate: give the sampling rate in Hz (fs_hz)")
        return Grid(fs_hz=fs_hz, places=None)
    at, sizes = seconds[heads], np.diff(np.append(heads, len(seconds)))
    rate, remark = (fs_hz, "") if fs_hz is not None else _measured(at, sizes, name)
    if rate <= 0:
        raise NoRateError(f"{name} has {1 / mean:.3g} rows a second, which is no rate: give the sampling rate (fs_hz)")
    late = at * rate - heads
    step = float(np.median(np.diff(at)))
    allowed = max(_LATE_S, step, 6 * float(np.median(np.abs(np.diff(late)))) / rate) * rate
    leaps = np.zeros(len(heads), np.int64)
    for number in np.flatnonzero(np.diff(late, prepend=late[0]) > 0.5 * allowed):
        if number < 2 or leaps[max(0, number - 2) : number].any():
            continue  # the first packet may be cut off; a leap counts once
        before = float(np.median(late[max(1, number - _AROUND) : number]))
        ahead = float(np.median(late[number : number + 3])) - before
        if min(ahead, float(late[number]) - before) > allowed:
            leaps[number] = round(ahead)
    if not leaps.any():
        if mean * rate * _LEAST_FILLED > 1:
            raise EcgStreamError(
                f"{name} says {1 / mean:.3g} rows a second, the rate is given as {rate:g} Hz: give the right rate "
                "(fs_hz), or the file without that column"
            )
        return Grid(fs_hz=rate, places=None, remark=remark, even=False)
    places = np.arange(len(seconds)) + np.repeat(np.cumsum(leaps), sizes)
    return Grid(fs_hz=rate, places=places, remark=remark, even=False)


def _measured(at: _Floats, sizes: npt.NDArray[np.int64], name: str) -> tuple[float, str]:
    """The rate of rows in packets: rows over time, but for pauses."""
    steps = np.diff(at)[1:]
    kept = steps <= _PAUSE * np.median(steps)
    if int(kept.sum()) < _MIN_PACKETS:
        raise NoRateError(
            f"{name} has one time for many rows, and too few of them for a rate: give the sampling rate in Hz (fs_hz)"
        )
    rate = float(sizes[1:-1][kept].sum() / steps[kept].sum())
    if sizes.max() == 1 and float(np.std(at - np.arange(len(at)) / rate)) > _ADDS_UP * float(np.std(steps)):
        rate = 1 / float(np.median(steps))  # errors that add up: the whole tells no more than the middle step
        if abs(round(rate) / rate - 1) <= _NEAR:
            return float(
                round(rate)
            ), f"{name} is uneven: {round(rate)} Hz is the median rate; give another (fs_hz) if it is not"
    usual = min(_USUAL_HZ, key=lambda each: abs(each - rate))
    rate = float(usual) if abs(usual / rate - 1) <= _NEAR else round(rate, 1)
    return rate, f"{name} is uneven: {rate:g} Hz is the mean rate; give the sampling rate (fs_hz) if it is another"


def grid_of_counter(values: _Floats, *, fs_hz: float, name: str) -> Grid:
    """Return the grid that a counter tells, of rows or of packets.

    Parameters
    ----------
    values : (rows,) integers, NaN where missing
    fs_hz : sampling rate, Hz
    name : file and column, for messages

    Raises
    ------
    EcgStreamError : when it pauses for more than an hour
    """
    counted = _whole(values)
    steps = np.diff(counted)
    moved = steps[steps != 0]
    found, times = np.unique(moved, return_counts=True)
    if not len(found) or found[np.argmax(times)] <= 0:
        return Grid(fs_hz=fs_hz, places=None)
    step = float(found[np.argmax(times)])
    span = float(np.ptp(counted)) + step
    if np.any(steps < 0):  # it begins anew
        steps = np.where(steps < 0, steps % span, steps)
    lost = np.round(steps / step).astype(np.int64) - 1
    heads = np.concatenate(([0], np.flatnonzero(steps != 0) + 1))
    size = int(np.median(np.diff(heads))) if len(heads) > 1 else 1  # rows of one packet
    gaps = np.where(steps != 0, lost * size, 0)
    if np.any(gaps > MAX_GAP_S * fs_hz):
        row = int(np.argmax(gaps)) + 1
        raise EcgStreamError(f"{name} leaps by {steps[row - 1]:g} behind row {row}: split it there into two files")
    if not gaps.any():
        return Grid(fs_hz=fs_hz, places=None)
    return Grid(fs_hz=fs_hz, places=np.concatenate(([0], np.cumsum(gaps + 1))))
