"""A live patient's samples into EDF+ files that grow, each whole at any moment."""

from collections.abc import Callable
from fractions import Fraction
from itertools import count, takewhile
from pathlib import Path

import numpy as np

from bus.samples import CLOCK_TOLERANCE_NS, Chunk
from ecg.edf_form import EdfForm
from ecg.edf_writing import EdfFile
from ecg.errors import EcgStreamError
from ecg.records import MISSING, Int16Array, exact_rate
from ecg.windows import Grid

SUFFIX = ".edf"
_NS = 1_000_000_000


class EdfRecorder:
    """Puts the chunks of one patient on the time axis of a file, data record by data record.

    What another device, rate, gain or set of leads sends, and a clock that is set back, begin a further file: NAME-2,
    NAME-3 and so on. A file of before that was left, by a kill or in order, is gone on with where it fits.

    Parameters
    ----------
    path : of the first file
    began : is told of each file when its first data record is there
    """

    def __init__(self, path: Path, *, began: Callable[[Path], None]) -> None:
        self._path = path if path.suffix.lower() == SUFFIX else path.with_name(path.name + SUFFIX)
        self._began = began
        self._writing: _Writing | None = None

    def written_to(self, chunk: Chunk) -> int | None:
        """Up to where its file is written, ns UTC; None where nothing of the chunk's stream is.

        Parameters
        ----------
        chunk : of which the file would be gone on with
        """
        if self._writing is None:
            self._writing = self._left_behind(chunk)
        return None if self._writing is None else self._writing.end_ns

    def take(self, chunk: Chunk) -> None:
        """Write what of a chunk lies behind all that was taken before.

        Raises
        ------
        EcgStreamError : when a file cannot be written, or EDF cannot hold the samples
        """
        try:
            if self._writing is None:
                self._writing = self._left_behind(chunk)
            if self._writing is None or not self._writing.take(chunk):
                self.close()
                path = self._free()
                path.parent.mkdir(parents=True, exist_ok=True)
                self._writing = _Writing(EdfFile(path, _form_of(chunk, chunk.start_ns)), chunk, self._began)
                self._writing.take(chunk)
        except OSError as error:
            raise EcgStreamError(f"{self._path} cannot be written ({error.strerror}): name another file") from error

    def close(self) -> None:
        """Write what is there of the last data record, and end."""
        if self._writing is not None:
            self._writing.close()
            self._writing = None

    def _left_behind(self, chunk: Chunk) -> "_Writing | None":
        """The last file of before, if the chunk goes on with it."""
        there = self._there()
        if not there:
            return None
        found = EdfFile.resume(there[-1], _form_of(chunk, chunk.start_ns))
        if found is None:
            return None
        file, record, samples = found
        self._began(file.path)
        return _Writing(file, chunk, self._began, record=record, samples=samples)

    def _free(self) -> Path:
        return self._numbered(len(self._there()) + 1)

    def _there(self) -> list[Path]:
        return list(takewhile(Path.exists, map(self._numbered, count(1))))

    def _numbered(self, number: int) -> Path:
        return self._path if number == 1 else self._path.with_stem(f"{self._path.stem}-{number}")


class _Writing:
    """A file, and the data record that is not yet full.

    Parameters
    ----------
    file : of which all before the data record is written
    chunk : whose clock it goes by
    began : is told of the file when its first data record is there
    record : the number of the data record
    samples : what is there of it, (n, leads) int16
    """

    def __init__(
        self,
        file: EdfFile,
        chunk: Chunk,
        began: Callable[[Path], None],
        *,
        record: int = 0,
        samples: Int16Array | None = None,
    ) -> None:
        self._file = file
        self._began = began
        self._record = record
        self._rate = exact_rate(file.form.fs_hz)
        self._size = file.form.record_samples
        self._samples = self._nothing() if samples is None else samples
        there = np.flatnonzero((self._samples != MISSING).any(axis=1))
        # Of what was taken, in samples from the first.
        self._end = record * self._size + (int(there[-1]) + 1 if len(there) else 0)
        self._set_clock(chunk)

    def _set_clock(self, chunk: Chunk) -> None:
        # Within a setting of the clock, samples lie by their running index.
        self._base_ns = chunk.base_ns
        self._shift = round(Fraction(chunk.base_ns - (self._file.form.start_ns or 0), _NS) * self._rate)

    @property
    def end_ns(self) -> int:
        """Up to where samples were taken, ns UTC."""
        return (self._file.form.start_ns or 0) + Grid(self._rate).offset_ns(self._end)

    def take(self, chunk: Chunk) -> bool:
        """Return whether a chunk belongs in this file; if so, it is taken."""
        form = self._file.form
        if _form_of(chunk, form.start_ns or 0) != form:
            return False
        if abs(chunk.base_ns - self._base_ns) > CLOCK_TOLERANCE_NS:
            before = self._base_ns, self._shift
            self._set_clock(chunk)
            if chunk.start_index + self._shift < self._end:
                self._base_ns, self._shift = before
                return False
        row = chunk.start_index + self._shift
        samples = chunk.samples[max(0, self._end - row) :]  # what came twice is left out
        row = max(row, self._end)
        while len(samples):
            self._turn_to(row // self._size)
            at = row - self._record * self._size
            piece = samples[: self._size - at]
            self._samples[at : at + len(piece)] = piece
            row += len(piece)
            samples = samples[len(piece) :]
            self._end = row
            if at + len(piece) == self._size:
                self._turn_to(self._record + 1)
        return True

    def close(self) -> None:
        """Write what is there of the last data record, what it lacks marked missing."""
        self._turn_to(self._record + 1)
        self._file.close()

    def _turn_to(self, record: int) -> None:
        """Write the data record that is being filled if another is the next."""
        if record == self._record:
            return
        first = self._file.records == 0
        self._file.add(self._record, self._samples)
        if first and self._file.records:
            self._began(self._file.path)
        self._record = record
        self._samples = self._nothing()

    def _nothing(self) -> Int16Array:
        return np.full((self._size, len(self._file.form.leads)), MISSING, np.int16)


def _form_of(chunk: Chunk, start_ns: int) -> EdfForm:
    return EdfForm(
        fs_hz=chunk.fs_hz,
        leads=chunk.leads,
        gain=chunk.gain,
        baseline=chunk.baseline,
        patient=chunk.patient,
        device=chunk.device,
        start_ns=start_ns,
    )
