"""Signal files of WFDB records: samples as the formats of signal(5) pack them, read from anywhere in a file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.records import MISSING, Int16Array, from_millivolts

_INT16_MAX = 32767
# Thirds of a bit that a sample takes in each uncompressed format.
_BIT_THIRDS = {"8": 24, "80": 24, "212": 36, "310": 32, "311": 32} | dict.fromkeys(("16", "61", "160"), 48)
_BIT_THIRDS |= {"24": 72, "32": 96}
# The mark of a sample that was never taken is the lowest value of the format; format 8 has none.
INVALID: dict[str, int | None] = {"8": None, "80": -(2**7), "508": -(2**7), "212": -(2**11)}
INVALID |= {"310": -(2**9), "311": -(2**9)} | dict.fromkeys(("16", "61", "160", "516"), -(2**15))
INVALID |= {"24": -(2**23), "524": -(2**23), "32": -(2**31)}
# Formats of whole bytes, and 212: their samples are read here, from anywhere in a file. The others are compressed,
# or nobody has written them for decades, and the package wfdb reads them.
_BYTES: dict[str, npt.DTypeLike] = {"80": "u1", "16": "<i2", "61": ">i2", "160": "<u2", "32": "<i4"}
READ_HERE = frozenset({*_BYTES, "212", "24"})
_WIDE = frozenset({"24", "32"})  # formats whose samples may not fit int16
_SCANNED = 1_000_000  # samples of each lead that are looked through at once
_OFFSET = {"80": 2**7, "160": 2**15}  # of formats without a sign

Integers = npt.NDArray[np.signedinteger[Any]]


def is_packed(fmt: str) -> bool:
    """Return whether a format is compressed, so that the file's size does not say how many samples it holds."""
    return fmt not in _BIT_THIRDS


def samples_in(held_bytes: int, fmt: str, signals: int) -> int:
    """Return how many samples of each signal an uncompressed file holds."""
    return max(0, held_bytes) * 24 // (_BIT_THIRDS[fmt] * signals)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFile:
    """A signal file, of a format in ``READ_HERE``; the signals that are read of it have one rate and one skew.

    Attributes
    ----------
    path : of the file
    fmt : its format
    byte_offset : bytes before the first frame
    frame : samples of all signals in a frame
    frames : how many it holds
    each : samples of a signal that is read in a frame
    skew : frames by which it lies late
    starts : of each signal that is read, where its samples begin in a frame
    places : columns of the recording that they are
    """

    path: Path
    fmt: str
    byte_offset: int
    frame: int
    frames: int
    each: int
    skew: int
    starts: tuple[int, ...]
    places: tuple[int, ...]

    def read(self, start: int, stop: int) -> Integers:
        """(n, starts): samples from one to before another; n is less than asked for behind the end of a late signal.

        Raises
        ------
        EcgStreamError : when the file has become shorter
        """
        first, last = start // self.each + self.skew, -(-stop // self.each) + self.skew
        last = min(last, self.frames)
        if last <= first:
            return np.empty((0, len(self.starts)), np.int32)
        packed = self.fmt in {"212", "24"}
        read = self._packed if packed else self._plain
        frames = read(first * self.frame, last * self.frame).reshape(-1, self.frame)
        if self.each == 1:
            return frames if self.starts == tuple(range(self.frame)) else frames[:, self.starts]
        skipped = start - (first - self.skew) * self.each
        signals = [frames[:, at : at + self.each].reshape(-1)[skipped : skipped + stop - start] for at in self.starts]
        return np.stack(signals, axis=1)

    def _plain(self, first: int, last: int) -> Integers:
        kind = np.dtype(_BYTES[self.fmt])
        values = self._bytes(first * kind.itemsize, (last - first) * kind.itemsize).view(kind)
        if self.fmt in _OFFSET:
            return (values.astype(np.int32) - _OFFSET[self.fmt]).astype(np.int16)
        return values.astype(kind.newbyteorder("="), copy=False)

    def _packed(self, first: int, last: int) -> Integers:
        if self.fmt == "24":
            three = self._bytes(first * 3, (last - first) * 3).reshape(-1, 3).astype(np.int32)
            return three[:, 0] | three[:, 1] << 8 | three[:, 2].astype(np.int8).astype(np.int32) << 16
        # Two samples lie in three bytes; a lone one at the end of a file takes two.
        from_pair = first // 2
        held = self._bytes(from_pair * 3, (last * 3 + 1) // 2 - from_pair * 3)
        pairs = np.append(held, np.zeros(-len(held) % 3, np.uint8)).reshape(-1, 3).astype(np.int16)
        values = np.empty((len(pairs), 2), np.int16)
        # The upper four bits go to the top of 16, so that the way back brings the sign down.
        values[:, 0] = pairs[:, 0] | (pairs[:, 1] << 12) >> 4
        values[:, 1] = pairs[:, 2] | ((pairs[:, 1] & 0xF0) << 8) >> 4
        return values.reshape(-1)[first - from_pair * 2 : last - from_pair * 2]

    def _bytes(self, offset: int, count: int) -> npt.NDArray[np.uint8]:
        held = np.fromfile(self.path, np.uint8, count, offset=self.byte_offset + offset)
        if len(held) != count:
            raise EcgStreamError(f"{self.path.name} became shorter while it was read: restore it, and read it again")
        return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The way of one lead into int16: shifted if that is enough, scaled only if it must be.

    Attributes
    ----------
    invalid : the value of a sample that was never taken; None where the format has none
    gain, baseline : after it: ADC units per mV, and the ADC value of 0 mV
    inverted : whether samples are turned over first, since the header gives a gain below 0
    shift : is subtracted
    scaled : gain and middle before it, where values are scaled; None where they are not
    """

    invalid: int | None
    gain: float
    baseline: int
    inverted: bool = False
    shift: int = 0
    scaled: tuple[float, float] | None = None

    def spanning(self, low: int, high: int) -> "Fit":
        """Return the fit of a lead whose samples, turned over where they are to be, may not fit int16.

        Parameters
        ----------
        low, high : its lowest and highest sample, as the file has them
        """
        low, high = (-high, -low) if self.inverted else (low, high)
        if low > MISSING and high <= _INT16_MAX:
            return self
        if high - low < 2 * _INT16_MAX:
            shift = (low + high) // 2  # a large offset and a small ECG: nothing is lost
            return replace(self, baseline=self.baseline - shift, shift=shift)
        scaled_gain = self.gain * _INT16_MAX / ((high - low + 2) / 2)
        middle = (low + high) / 2
        zero = round((self.baseline - middle) / self.gain * scaled_gain)
        return replace(self, gain=scaled_gain, baseline=zero, scaled=(self.gain, middle))

    def apply(self, values: Integers) -> Int16Array:
        """(n,) samples of the format as int16, ``MISSING`` where none was taken."""
        taken = self.taken(values)
        if self.inverted:
            values = -values.astype(np.int64)
        if self.scaled is not None:
            gain, middle = self.scaled
            return from_millivolts(np.where(taken, (values.astype(np.int64) - middle) / gain, np.nan), self.gain)
        shifted = values if self.shift == 0 else values.astype(np.int64) - self.shift
        return np.where(taken, shifted, MISSING).astype(np.int16)

    def taken(self, values: Integers) -> npt.NDArray[np.bool_]:
        """Return which samples were taken: (n,) bool."""
        return np.ones(len(values), np.bool_) if self.invalid is None else values != self.invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReader:
    """Reads a recording from its signal files.

    Attributes
    ----------
    files : those that hold its leads
    fits : the way of each lead into int16
    """

    files: tuple[SignalFile, ...]
    fits: tuple[Fit, ...]

    @classmethod
    def of(cls, files: tuple[SignalFile, ...], fits: tuple[Fit, ...], length: int) -> "SignalReader":
        """Return the reader of a recording; samples that may not fit int16 are looked through for it.

        Parameters
        ----------
        files : those that hold its leads
        fits : of each lead, as if all its samples fitted int16
        length : samples of each lead
        """
        wide = [file for file in files if file.fmt in _WIDE]
        pieces = (
            (place, values[:, number])
            for file in wide
            for start in range(0, length, _SCANNED)
            for values in (file.read(start, min(start + _SCANNED, length)),)
            for number, place in enumerate(file.places)
        )
        return cls(files=files, fits=fitted(fits, pieces) if wide else fits)

    def read(self, start: int, stop: int) -> Int16Array:
        """(stop - start, leads) int16: samples from one to before another."""
        samples = np.full((stop - start, len(self.fits)), MISSING, np.int16)
        for file in self.files:
            values = file.read(start, stop)
            for number, place in enumerate(file.places):
                samples[: len(values), place] = self.fits[place].apply(values[:, number])
        return samples


def fitted(fits: Sequence[Fit], pieces: Iterable[tuple[int, Integers]]) -> tuple[Fit, ...]:
    """Return the way of each lead into int16, by all its samples.

    Parameters
    ----------
    fits : of each lead, as if all its samples fitted int16
    pieces : numbers of leads with samples of theirs, (n,) each; a lead that is never among them fits
    """
    ends: dict[int, list[int]] = {}
    for number, values in pieces:
        found, taken = ends.setdefault(number, []), values[fits[number].taken(values)]
        if taken.size:
            found += [int(taken.min()), int(taken.max())]
    spans = {number: (min(found, default=0), max(found, default=0)) for number, found in ends.items()}
    return tuple(fit.spanning(*spans[number]) if number in spans else fit for number, fit in enumerate(fits))
