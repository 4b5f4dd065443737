"""WFDB records of several segments: each a record of its own, with pauses between; the master header says the order."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ecg.channels import Channel
from ecg.errors import EcgStreamError
from ecg.records import MISSING, Int16Array
from ecg.wfdb_header import DEFAULT_FS_HZ, Header, Segment, SignalLine, read_header
from ecg.wfdb_pieces import Opened, Piece
from ecg.wfdb_places import header_of

PAUSE = "~"
MAX_SPAN_S = 31 * 86_400.0  # of all segments with their pauses: an intensive-care stay in one record
_COARSE_GAIN = 1000.0  # ADC units per mV of samples of more than 16 bits, each segment of which may have another scale
_WIDE = frozenset({"24", "32", "524"})
_INT16_MAX = 32767
_OPEN = 2  # segments that are held open: one, and the next


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """A segment with samples.

    Attributes
    ----------
    start, stop : its frames in the whole
    piece : the record that it is
    columns : of each signal of the whole, which of the segment's it is; None where it has none
    """

    start: int
    stop: int
    piece: Piece
    columns: tuple[int | None, ...]

    @property
    def formats(self) -> tuple[str, ...]:
        """The format of each signal of the whole; "" where the segment has none."""
        own = self.piece.header.signals
        return tuple("" if column is None else own[column].fmt for column in self.columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """A record of several segments.

    Attributes
    ----------
    path, header : of the master
    signals : of the whole: of the layout where there is one, else of the first segment
    parts : the segments that can be read, in order; where there is none, the samples are missing
    length : frames
    remarks : which segments cannot be read, and why
    """

    path: Path
    header: Header
    signals: tuple[SignalLine, ...]
    parts: tuple[_Part, ...]
    length: int
    remarks: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, header: Header) -> "Segments":
        """Return a record by its master header; a segment that cannot be read is a pause, with a remark.

        Raises
        ------
        EcgStreamError : when the master contradicts itself, or no segment can be read
        """
        if len(header.parts) != header.segments:
            raise EcgStreamError(
                f"{path.name} claims {header.segments} segments and describes {len(header.parts)}: correct the number "
                "behind the '/' in its first line"
            )
        length = sum(part.length for part in header.parts)
        span_s = length / (header.fs_hz or DEFAULT_FS_HZ)
        if span_s > MAX_SPAN_S:
            raise EcgStreamError(
                f"{path.name} spans {span_s / 86_400:.0f} days, above {MAX_SPAN_S / 86_400:.0f}: give the segments "
                "that you need, each a record of its own, in its place"
            )
        remarks: list[str] = []
        layout: tuple[SignalLine, ...] = ()
        pieces: list[tuple[int, int, Piece]] = []
        start = 0
        for number, part in enumerate(header.parts):
            if part.name != PAUSE:
                try:
                    found = _header(path, part)
                    if number == 0 and part.length == 0:
                        layout = found[1].signals
                    elif part.length:
                        pieces.append((start, start + part.length, Piece.of(*found)))
                except EcgStreamError as error:
                    remarks.append(f"segment {part.name} is left out: {error}")
            start += part.length
        if not pieces:
            raise EcgStreamError(
                f"{path.name} has {header.segments} segments, none of which can be read"
                f"{f' ({remarks[0]})' if remarks else ''}: put their headers and signal files beside it"
            )
        signals = layout or pieces[0][2].header.signals
        parts = [
            _Part(start=first, stop=last, piece=piece, columns=_columns(signals, piece, by_name=bool(layout)))
            for first, last, piece in pieces
        ]
        return cls(
            path=path,
            header=header,
            signals=signals,
            parts=tuple(parts),
            length=length,
            remarks=(*remarks, *(remark for _, _, piece in pieces for remark in piece.remarks)),
        )

    def channels(self, fs_hz: float | None) -> tuple[Channel, ...]:
        """Return the signals of the whole.

        Parameters
        ----------
        fs_hz : the rate that the caller gives, for headers that say none
        """
        rate = self.header.fs_hz or self.parts[0].piece.header.fs_hz
        return tuple(
            Channel(
                name=line.name,
                unit=line.unit,
                fs_hz=rate * line.per_frame if rate else fs_hz or DEFAULT_FS_HZ,
                dead="" if any(part.columns[number] is not None for part in self.parts) else "is in no segment",
            )
            for number, line in enumerate(self.signals)
        )

    def open(self, columns: Sequence[int], gains: Sequence[float]) -> Opened:
        """Return signals, all of one rate, ready to be read; a segment is opened when its samples are asked for.

        Parameters
        ----------
        columns : their numbers in the whole
        gains : of each, ADC units per mV, above 0
        """
        lines = [self.signals[column] for column in columns]
        wide = [
            any(
                part.piece.header.signals[own].fmt in _WIDE
                for part in self.parts
                if (own := part.columns[column]) is not None
            )
            for column in columns
        ]
        gain = tuple(min(each, _COARSE_GAIN) if far else each for each, far in zip(gains, wide, strict=True))
        baseline = tuple(
            0 if far else -line.baseline if line.gain < 0 else line.baseline
            for line, far in zip(lines, wide, strict=True)
        )
        each = lines[0].per_frame
        # What the caller says of the unit holds for every segment: its gain differs as the segment's own does.
        factors = [abs(line.gain) / per_mv for line, per_mv in zip(lines, gains, strict=True)]

        @lru_cache(maxsize=_OPEN)
        def opened(number: int) -> tuple[list[int], Opened]:
            part = self.parts[number]
            there = [place for place, column in enumerate(columns) if part.columns[column] is not None]
            own = [column for place in there if (column := part.columns[columns[place]]) is not None]
            scales = [
                abs(part.piece.header.signals[column].gain) / factors[place]
                for place, column in zip(there, own, strict=True)
            ]
            return there, part.piece.open(own, scales)

        def read(start: int, stop: int) -> Int16Array:
            samples = np.full((stop - start, len(columns)), MISSING, np.int16)
            for number, part in enumerate(self.parts):
                first, last = max(start, part.start * each), min(stop, part.stop * each)
                if first >= last:
                    continue
                there, signals = opened(number)
                if not there:
                    continue
                values = signals.read(first - part.start * each, min(last - part.start * each, signals.length))
                for place, column in zip(there, range(len(there)), strict=True):
                    samples[first - start : first - start + len(values), place] = _rescaled(
                        values[:, column],
                        (signals.gain[column], signals.baseline[column]),
                        (gain[place], baseline[place]),
                    )
            return samples

        return Opened(gain=gain, baseline=baseline, length=self.length * each, read=read)


def _header(master: Path, part: Segment) -> tuple[Path, Header]:
    """The header of a segment."""
    if Path(part.name).name != part.name or set(part.name) & set("\\/:"):
        raise EcgStreamError(f"{master.name} names {part.name[:40]!r}: a segment lies beside its master")
    path = header_of(master.with_name(part.name))
    if path is None:
        raise EcgStreamError(f"{master.name} names {part.name}, which is not in {master.parent}: put it there")
    header = read_header(path)
    if header.segments is not None:
        raise EcgStreamError(f"{path.name} has segments itself: name its segments in {master.name}")
    return path, header


def _columns(signals: Sequence[SignalLine], piece: Piece, *, by_name: bool) -> tuple[int | None, ...]:
    """Return which signal of a segment each of the whole is: of a layout by name, else by place."""
    own = piece.header.signals
    found: list[int | None] = []
    for number, line in enumerate(signals):
        same = [column for column, other in enumerate(own) if other.name == line.name and line.name and by_name]
        place = same[0] if same else number if not by_name and number < len(own) else None
        fits = place is not None and place not in piece.problems and own[place].per_frame == line.per_frame
        found.append(place if fits else None)
    return tuple(found)


def _rescaled(values: Int16Array, own: tuple[float, int], whole: tuple[float, int]) -> Int16Array:
    """Samples of a segment by the scale of the whole."""
    if own == whole:
        return values
    millivolts = (values.astype(np.float64) - own[1]) / own[0]
    scaled = np.clip(np.round(millivolts * whole[0] + whole[1]), MISSING + 1, _INT16_MAX)
    return np.where(values == MISSING, MISSING, scaled).astype(np.int16)
