"""WFDB records in one piece: a header that describes signals, and the files that hold their samples."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.channels import Channel
from ecg.errors import EcgStreamError
from ecg.records import Int16Array
from ecg.resampling import ReadSamples
from ecg.wfdb_header import DEFAULT_FS_HZ, MAX_QUOTED, Header, SignalLine
from ecg.wfdb_places import signal_file
from ecg.wfdb_signals import INVALID, READ_HERE, Fit, SignalFile, SignalReader, fitted, is_packed, samples_in

MAX_SIGNALS = 256
MAX_PACKED = 200_000_000  # samples of a compressed file, whose length its own size does not bound; a day of six leads
_MAX_SKEW_S = 1.0
_DEVICE = "\\/:"  # in a name they lead to another folder, or to a device


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Signals of a record, ready to be read.

    Attributes
    ----------
    gain, baseline : of each, ADC units per mV and the ADC value of 0 mV
    length : samples of each
    read : reads samples from one to before another: (stop - start, signals) int16
    """

    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    length: int
    read: ReadSamples


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A record in one piece.

    Attributes
    ----------
    path : of the header
    header : what it says
    files : where the files lie that it names
    problems : of signals that cannot be read, why
    length : frames
    """

    path: Path
    header: Header
    files: dict[str, Path]
    problems: dict[int, str]
    length: int

    @classmethod
    def of(cls, path: Path, header: Header) -> "Piece":
        """Return a record, compared with the files that are there.

        Raises
        ------
        EcgStreamError : when none of its signals can be read
        """
        if not header.count or not header.signals:
            raise EcgStreamError(f"{path.name} names no signal: a record needs at least one lead")
        if header.count > MAX_SIGNALS or len(header.signals) != header.count:
            raise EcgStreamError(
                f"{path.name} claims {header.count} signals and describes {len(header.signals)}, at most {MAX_SIGNALS} "
                "are read: correct the number in its first line"
            )
        problems: dict[int, str] = {}
        for number, line in enumerate(header.signals):
            if problem := _problem(line, header, path):
                problems[number] = problem
        files: dict[str, Path] = {}
        for name, numbers in _by_file(header).items():
            if not any(number in problems for number in numbers):
                found = signal_file(path, header.name, name)
                if found is None:
                    lacking = f"{path.name} names {name}, which is not in {path.parent}: put it beside the header"
                    problems |= dict.fromkeys(numbers, lacking)
                else:
                    files[name] = found
        length, wrong = _length(header, files, path)
        problems |= wrong
        if len(problems) == header.count:
            raise EcgStreamError(next(iter(problems.values())))
        return cls(path=path, header=header, files=files, problems=problems, length=length)

    def channels(self, fs_hz: float | None) -> tuple[Channel, ...]:
        """Return its signals.

        Parameters
        ----------
        fs_hz : the rate that the caller gives, for a header that says none
        """
        return tuple(
            Channel(
                name=line.name,
                unit=line.unit,
                fs_hz=self.header.fs_hz * line.per_frame if self.header.fs_hz else fs_hz or DEFAULT_FS_HZ,
                dead=f"cannot be read ({self.problems[number]})" if number in self.problems else "",
            )
            for number, line in enumerate(self.header.signals)
        )

    @property
    def remarks(self) -> tuple[str, ...]:
        """Return which other files are read than the header names."""
        return tuple(
            f"{self.path.name} names {name}; {found.name} is read in its place"
            for name, found in self.files.items()
            if found.name.casefold() != name.casefold()
        )

    def open(self, columns: Sequence[int], gains: Sequence[float]) -> Opened:
        """Return signals, all of one rate, ready to be read.

        Parameters
        ----------
        columns : their numbers in the header
        gains : of each, ADC units per mV, above 0

        Raises
        ------
        EcgStreamError : when compressed samples are damaged
        """
        lines = [self.header.signals[column] for column in columns]
        unfitted = tuple(
            Fit(
                invalid=INVALID[line.fmt],
                gain=gain,
                baseline=-line.baseline if line.gain < 0 else line.baseline,
                inverted=line.gain < 0,
            )
            for line, gain in zip(lines, gains, strict=True)
        )
        length = self.length * lines[0].per_frame
        if length == 0:
            raise EcgStreamError(f"record {self.path.stem} holds 0 samples: restore its signal file")
        read: ReadSamples
        if all(line.fmt in READ_HERE for line in lines):
            reader = SignalReader.of(tuple(self._files(columns)), unfitted, length)
            fits, read = reader.fits, reader.read
        else:
            fits, samples = self._read_by_wfdb(columns, unfitted)
            length, read = len(samples), samples_reader(samples)
        return Opened(
            gain=tuple(fit.gain for fit in fits), baseline=tuple(fit.baseline for fit in fits), length=length, read=read
        )

    def _files(self, columns: Sequence[int]) -> list[SignalFile]:
        """The files that hold some signals, one for each skew in it."""
        files = []
        for name, numbers in _by_file(self.header).items():
            lines = [self.header.signals[number] for number in numbers]
            starts = np.cumsum([0, *(line.per_frame for line in lines)])
            for skew in dict.fromkeys(
                line.skew for number, line in zip(numbers, lines, strict=True) if number in columns
            ):
                wanted = [
                    number for number in numbers if number in columns and self.header.signals[number].skew == skew
                ]
                files.append(
                    SignalFile(
                        path=self.files[name],
                        fmt=lines[0].fmt,
                        byte_offset=lines[0].byte_offset,
                        frame=int(starts[-1]),
                        frames=self.length,
                        each=self.header.signals[wanted[0]].per_frame,
                        skew=skew,
                        starts=tuple(int(starts[numbers.index(number)]) for number in wanted),
                        places=tuple(columns.index(number) for number in wanted),
                    )
                )
        return files

    def _read_by_wfdb(self, columns: Sequence[int], fits: tuple[Fit, ...]) -> tuple[tuple[Fit, ...], Int16Array]:
        """Samples of compressed or rare formats, all at once, and their way into int16."""
        import wfdb  # noqa: PLC0415 - it brings pandas, which nobody should pay for whose record needs none of it

        names = {self.header.signals[column].file_name for column in columns}
        kept = [number for number, line in enumerate(self.header.signals) if line.file_name in names]
        with TemporaryDirectory() as folder:
            # The package reads its own idea of a header: it gets one that says the same in plain words.
            for place, name in enumerate(dict.fromkeys(self.header.signals[number].file_name for number in kept)):
                Path(folder, f"s{place}.dat").symlink_to(self.files[name].resolve())
            Path(folder, "r.hea").write_text(self._plain_header(kept), encoding="ascii")
            try:
                read = wfdb.rdrecord(
                    str(Path(folder, "r")),
                    physical=False,
                    return_res=32,
                    smooth_frames=False,
                    channels=[kept.index(column) for column in columns],
                )
                signals: list[npt.NDArray[np.signedinteger[Any]]] = read.e_d_signal
            except Exception as error:  # wfdb raises many kinds on hostile files
                raise EcgStreamError(
                    f"record {self.path.stem}: the signal file cannot be read "
                    f"({(str(error) or type(error).__name__)[:MAX_QUOTED]}): restore it"
                ) from error
        found = fitted(fits, enumerate(signals))
        return found, np.stack([fit.apply(signal) for fit, signal in zip(found, signals, strict=True)], axis=1)

    def _plain_header(self, numbers: Sequence[int]) -> str:
        lines = [f"r {len(numbers)} {self.header.fs_hz or DEFAULT_FS_HZ} {self.length}"]
        places: dict[str, int] = {}
        for number in numbers:
            line = self.header.signals[number]
            place = places.setdefault(line.file_name, len(places))
            lines.append(
                f"s{place}.dat {line.fmt}x{line.per_frame}:{line.skew}+{line.byte_offset} 200(0)/mV 0 0 "
                f"{line.first_value} 0 0 s{number}"
            )
        return "\n".join(lines) + "\n"


def samples_reader(samples: Int16Array) -> ReadSamples:
    """Return what reads samples that are in memory, (n, leads)."""
    return lambda start, stop: samples[start:stop]


def _problem(line: SignalLine, header: Header, path: Path) -> str | None:
    """Return why a signal cannot be read truly, by its header alone; None where it can."""
    if line.fmt not in INVALID:
        return f"{path.name}: signal format {line.fmt[:20]} is not known: convert the record to format 16"
    if line.skew > _MAX_SKEW_S * (header.fs_hz or DEFAULT_FS_HZ):
        return f"{path.name} has a skew of {line.skew} samples, above 1 s: correct the number behind the ':'"
    if not 1 <= line.per_frame <= MAX_SIGNALS:
        return f"{path.name} has {line.per_frame} samples a frame: 1 to {MAX_SIGNALS} are read: correct the header"
    name = line.file_name
    # A header that names a folder or an address would have this program read what nobody meant it to.
    if Path(name).name != name or set(_DEVICE) & set(name) or name == path.name or len(name) > MAX_QUOTED:
        return f"{path.name} names {name[:MAX_QUOTED]!r}: a signal file lies beside its header"
    return None


def _by_file(header: Header) -> dict[str, list[int]]:
    """The numbers of the signals in each file."""
    files: dict[str, list[int]] = {}
    for number, line in enumerate(header.signals):
        files.setdefault(line.file_name, []).append(number)
    return files


def _length(header: Header, files: dict[str, Path], path: Path) -> tuple[int, dict[int, str]]:
    """Return how many frames there are, by the header and by the bytes that are there, and where these contradict."""
    claimed = header.length
    wrong: dict[int, str] = {}
    by_file = _by_file(header)
    for name, data in files.items():
        first = header.signals[by_file[name][0]]
        frame = sum(header.signals[number].per_frame for number in by_file[name])
        if is_packed(first.fmt):  # compressed files check themselves
            if not 0 < (header.length or 0) * frame <= MAX_PACKED:
                wrong |= dict.fromkeys(
                    by_file[name],
                    f"{path.name} claims {header.length} samples of {frame} compressed signals, outside 1 to "
                    f"{MAX_PACKED} in all: write the number of samples into its first line, or split the record",
                )
            continue
        held = samples_in(data.stat().st_size - first.byte_offset, first.fmt, frame)
        if claimed is None:
            claimed = held  # a header without a length means all that is there
        # A second of padding is a recorder's habit; more is good data that nobody would ever see.
        if claimed > held or held - claimed > (header.fs_hz or DEFAULT_FS_HZ):
            wrong |= dict.fromkeys(
                by_file[name],
                f"{path.name} claims {claimed} samples, {data.name} holds {held}: restore the file, or write {held} "
                f"in place of {claimed} in the header's first line",
            )
    return claimed or 0, wrong
