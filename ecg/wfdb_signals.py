"""Signal files of WFDB records: samples as the formats of signal(5) pack them, read from anywhere in a file."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
    """A signal file, of a format in ``READ_HERE``.

    Attributes
    ----------
    path : of the file
    fmt : its format
    byte_offset : bytes before the first sample
    signals : how many take turns in it
    columns : which of them are read
    places : columns of the recording that they are
    """

    path: Path
    fmt: str
    byte_offset: int
    signals: int
    columns: tuple[int, ...]
    places: tuple[int, ...]

    def read(self, start: int, stop: int) -> Integers:
        """(stop - start, columns): samples from one to before another.

        Raises
        ------
        EcgStreamError : when the file has become shorter
        """
        first, last = start * self.signals, stop * self.signals
        values = self._packed(first, last) if self.fmt in {"212", "24"} else self._plain(first, last)
        turns = values.reshape(-1, self.signals)
        return turns if self.columns == tuple(range(self.signals)) else turns[:, self.columns]

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
    shift : is subtracted
    scaled : gain and middle before it, where values are scaled; None where they are not
    """

    invalid: int | None
    gain: float
    baseline: int
    shift: int = 0
    scaled: tuple[float, float] | None = None

    @classmethod
    def of(cls, low: int, high: int, *, invalid: int | None, gain: float, baseline: int) -> "Fit":
        """Return the fit of a lead.

        Parameters
        ----------
        low, high : its lowest and highest sample
        invalid : the value of a sample that was never taken
        gain, baseline : ADC units per mV, and the ADC value of 0 mV
        """
        if low > MISSING and high <= _INT16_MAX:
            return cls(invalid=invalid, gain=gain, baseline=baseline)
        if high - low < 2 * _INT16_MAX:
            shift = (low + high) // 2  # a large offset and a small ECG: nothing is lost
            return cls(invalid=invalid, gain=gain, baseline=baseline - shift, shift=shift)
        scaled_gain = gain * _INT16_MAX / ((high - low + 2) / 2)
        middle = (low + high) / 2
        zero = round((baseline - middle) / gain * scaled_gain)
        return cls(invalid=invalid, gain=scaled_gain, baseline=zero, scaled=(gain, middle))

    def apply(self, values: Integers) -> Int16Array:
        """(n,) samples of the format as int16, ``MISSING`` where none was taken."""
        taken = self.taken(values)
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
        reader = cls(files=files, fits=fits)
        if any(file.fmt in _WIDE for file in files):
            starts = range(0, length, _SCANNED)
            pieces = (reader.unfitted(start, min(start + _SCANNED, length)) for start in starts)
            reader = cls(files=files, fits=fitted(fits, pieces))
        return reader

    def read(self, start: int, stop: int) -> Int16Array:
        """(stop - start, leads) int16: samples from one to before another."""
        samples = np.empty((stop - start, len(self.fits)), np.int16)
        for file in self.files:
            values = file.read(start, stop)
            for number, place in enumerate(file.places):
                samples[:, place] = self.fits[place].apply(values[:, number])
        return samples

    def unfitted(self, start: int, stop: int) -> Integers:
        """(stop - start, leads) int32: the same, as the files hold them."""
        values = np.empty((stop - start, len(self.fits)), np.int32)
        for file in self.files:
            values[:, file.places] = file.read(start, stop)
        return values


def fitted(fits: Sequence[Fit], pieces: Iterable[Integers]) -> tuple[Fit, ...]:
    """Return the way of each lead into int16, by all its samples.

    Parameters
    ----------
    fits : of each lead, as if all its samples fitted int16
    pieces : (n, leads), all samples, piece by piece
    """
    ends: list[list[int]] = [[] for _ in fits]
    for piece in pieces:
        for number, fit in enumerate(fits):
            values = piece[:, number]
            taken = values[fit.taken(values)]
            if taken.size:
                ends[number] += [int(taken.min()), int(taken.max())]
    return tuple(
        Fit.of(min(found, default=0), max(found, default=0), invalid=fit.invalid, gain=fit.gain, baseline=fit.baseline)
        for fit, found in zip(fits, ends, strict=True)
    )
