"""ECGs in EDF, EDF+ and BDF files."""

from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.channels import Channel, choose_channels
from ecg.edf_header import EdfHeader, EdfSignal, read_edf_header
from ecg.errors import EcgStreamError
from ecg.records import MISSING, Int16Array, RecordOnDisk
from ecg.resampling import on_disk
from ecg.wfdb_signals import Fit, fitted

MAX_SPAN_S = 31 * 86_400.0  # of an interrupted file, with its pauses
_CLOCK_END = b"\x14"  # behind the time of a data record
_SCANNED = 500_000  # samples of each lead that are looked through at once
Spans = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """The samples of some signals of one rate.

    Attributes
    ----------
    path, header : of the file
    signals : which
    fits : the way of each into int16
    starts : of each data record, its first sample on the time axis, ascending
    """

    path: Path
    header: EdfHeader
    signals: tuple[EdfSignal, ...]
    fits: tuple[Fit, ...]
    starts: Spans

    def read(self, start: int, stop: int) -> Int16Array:
        """(stop - start, signals) int16: samples from one to before another, missing where a pause is."""
        each = self.signals[0].count
        samples = np.full((stop - start, len(self.signals)), MISSING, np.int16)
        first = max(int(np.searchsorted(self.starts, start, "right")) - 1, 0)
        last = int(np.searchsorted(self.starts, stop, "left"))
        while first < last:  # data records that follow one another are read at once
            apart = np.flatnonzero(np.diff(self.starts[first:last]) != each)
            behind = first + (int(apart[0]) + 1 if len(apart) else last - first)
            at = int(self.starts[first])
            skip, end = max(start - at, 0), min((behind - first) * each, stop - at)
            if end > skip:
                for number, values in enumerate(self.steps(first, skip, end)):
                    samples[at + skip - start : at + end - start, number] = self.fits[number].apply(values)
            first = behind
        return samples

    def steps(self, record: int, first: int, last: int) -> list[npt.NDArray[np.int32]]:
        """Samples of each signal as the file has them, (last - first,), counted from a data record's first."""
        each = self.signals[0].count
        low, high = record + first // each, record + -(-last // each)
        skip = first - (low - record) * each
        if high - low == 1:  # in one data record, which may be as long as the file
            return [self._held(low * self.header.size + signal.start + skip, last - first) for signal in self.signals]
        block = self._held(low * self.header.size, (high - low) * self.header.size).reshape(-1, self.header.size)
        return [
            block[:, signal.start : signal.start + each].reshape(-1)[skip : skip + last - first]
            for signal in self.signals
        ]

    def _held(self, first: int, count: int) -> npt.NDArray[np.int32]:
        width = self.header.sample_bytes
        raw = np.fromfile(self.path, np.uint8, count * width, offset=self.header.header_bytes + first * width)
        if len(raw) != count * width:
            raise EcgStreamError(f"{self.path.name} became shorter while it was read: restore it, and read it again")
        if width == 2:
            return raw.view("<i2").astype(np.int32)
        three = raw.reshape(-1, 3).astype(np.int32)
        return three[:, 0] | three[:, 1] << 8 | three[:, 2].astype(np.int8).astype(np.int32) << 16


def open_edf(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> RecordOnDisk:
    """The ECG in an EDF or BDF file, by its labels, units and rates; where it was interrupted, samples are missing.

    Parameters
    ----------
    path : the file
    fs_hz, leads, unit : what the caller says, which comes before what the file says

    Raises
    ------
    EcgStreamError : when the file is damaged, or no signal is an ECG
    """
    header = read_edf_header(path)
    rate = 1 / header.duration_s if header.duration_s > 0 else 0.0
    if not header.signals:
        raise EcgStreamError(f"{path.name} holds annotations alone, no signal: give the file of its recording")
    if not rate and fs_hz is None:
        raise EcgStreamError(
            f"{path.name}: its data records last {header.duration_s:g} s: give the sampling rate in Hz"
        )
    channels = tuple(
        Channel(
            name=signal.label,
            unit=signal.unit,
            fs_hz=_rounded(signal.count * rate) if rate else fs_hz or 0.0,
            dead=_dead(signal),
        )
        for signal in header.signals
    )
    choice = choose_channels(channels, file=path.name, leads=leads, unit=unit, fs_hz=fs_hz)
    signals = tuple(header.signals[column] for column in choice.columns)
    per_unit = [(s.digital[1] - s.digital[0]) / (s.physical[1] - s.physical[0]) for s in signals]
    fits = tuple(
        _fit(signal, gain, inverted=steps < 0)
        for signal, gain, steps in zip(signals, choice.gains([abs(each) for each in per_unit]), per_unit, strict=True)
    )
    each = signals[0].count
    starts, remarks = _starts(path, header, each, choice.fs_hz)
    samples = _Samples(path=path, header=header, signals=signals, fits=fits, starts=starts)
    if header.sample_bytes > 2:
        samples = _Samples(path=path, header=header, signals=signals, fits=_spanning(samples), starts=starts)
    return on_disk(
        name=path.stem,
        fs_hz=choice.fs_hz,
        leads=choice.leads,
        gain=tuple(fit.gain for fit in samples.fits),
        baseline=tuple(fit.baseline for fit in samples.fits),
        held=int(starts[-1]) + each,
        read=samples.read,
        remarks=(*header.remarks, *remarks, *choice.remarks),
    )


def _dead(signal: EdfSignal) -> str:
    """Return why a signal has no scale, "" where it has one."""
    (low, high), (first, last) = signal.physical, signal.digital
    if not all(map(isfinite, (low, high, first, last))) or low == high or first == last:
        return f"was off (its range is {low:g} to {high:g} {signal.unit} in {first:g} to {last:g} steps)"
    return "" if signal.count else "has no samples"


def _fit(signal: EdfSignal, gain: float, *, inverted: bool) -> Fit:
    """The way into int16 of a signal; one written with its physical minimum above the maximum is turned over."""
    (low, high), (first, last) = signal.physical, signal.digital
    baseline = round(first - low * (last - first) / (high - low))
    return Fit(invalid=None, gain=gain, baseline=-baseline if inverted else baseline, inverted=inverted)


def _spanning(samples: _Samples) -> tuple[Fit, ...]:
    """The fits of samples of 24 bits, by all of them."""
    each, records = samples.signals[0].count, samples.header.records
    step = max(1, _SCANNED // each)
    return fitted(
        samples.fits,
        (
            (number, values)
            for record in range(0, records, step)
            for number, values in enumerate(samples.steps(record, 0, min(step, records - record) * each))
        ),
    )


def _rounded(rate: float) -> float:
    """A rate without what dividing by a written duration leaves."""
    return float(round(rate)) if abs(rate - round(rate)) < 1e-6 * rate else rate


def _starts(path: Path, header: EdfHeader, each: int, fs_hz: float) -> tuple[Spans, tuple[str, ...]]:
    """Return where each data record begins, in samples from the first, and what is to be said of it."""
    at = np.arange(header.records, dtype=np.int64) * each
    if not header.interrupted or header.clock is None:
        return at, ()
    onsets = read_onsets(path, header)
    if np.isnan(onsets).any():
        unknown = int(np.isnan(onsets).sum())
        raise EcgStreamError(
            f"{path.name} is interrupted (EDF+D), and {unknown} of its {header.records} data records do not say when "
            "they begin: save it as EDF+C, or split it at its gaps"
        )
    places = np.round((onsets - onsets[0]) * fs_hz).astype(np.int64)
    # Rounded times jitter by a sample: records that follow one another do so without a gap or an overlap.
    pauses = np.diff(places) - each
    late = np.where(np.abs(pauses) <= max(1, round(fs_hz * _JITTER_S)), 0, pauses)
    if np.any(late < 0):
        record = int(np.argmax(late < 0)) + 1
        raise EcgStreamError(
            f"{path.name}: its data record {record + 1} begins at {onsets[record]:g} s, before the one before it ends: "
            "split it there"
        )
    starts = at + np.concatenate([[0], np.cumsum(late)])
    if (starts[-1] + each) / fs_hz > MAX_SPAN_S:
        raise EcgStreamError(f"{path.name} spans more than {MAX_SPAN_S / 86_400:g} days: split it at its gaps")
    gaps = int(np.count_nonzero(late))
    return starts, (f"{path.name} was interrupted {gaps} times: nothing is known of these pauses",) if gaps else ()


_JITTER_S = 0.01


def read_onsets(path: Path, header: EdfHeader) -> npt.NDArray[np.float64]:
    """(records,) the time at which each data record begins, s; NaN where it does not say."""
    start, count = header.clock or (0, 0)
    width = header.sample_bytes
    onsets = np.full(header.records, np.nan)
    with path.open("rb") as file:
        for record in range(header.records):
            file.seek(header.header_bytes + (record * header.size + start) * width)
            stamp = file.read(count * width).split(_CLOCK_END, 1)[0]
            try:
                onsets[record] = float(stamp)
            except ValueError:
                continue
    return onsets
