"""EDF+ files written data record by data record, so that a file is whole at any moment of a recording."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from ecg.edf_files import read_onsets
from ecg.edf_form import ANNOTATION_BYTES, COUNT_AT, FIELD, EdfForm
from ecg.edf_header import read_edf_header
from ecg.errors import EcgStreamError
from ecg.records import Int16Array

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS = 1_000_000_000


class EdfFile:
    """A file that grows by whole data records; to be used in ``with``.

    The header counts a data record as soon as it is there: whoever opens the file at any moment finds all before it,
    and what a killed writer leaves is a whole file.

    Parameters
    ----------
    path : of the file; it comes to be with the first data record, and one that is there is replaced by then
    form : what its header says
    """

    def __init__(self, path: Path, form: EdfForm) -> None:
        self.path = path
        self.form = form
        self.records = 0
        self._header = form.header()
        self._record_bytes = 2 * form.record_samples * len(form.leads) + ANNOTATION_BYTES
        self._file: int | None = None
        self._last = -1  # the number of the last data record

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @classmethod
    def resume(cls, path: Path, form: EdfForm) -> tuple[Self, int, Int16Array] | None:
        """A file that was left, and its last data record: number and (n, leads) samples; None for another form's.

        Parameters
        ----------
        path : of the file
        form : what its header says, but for the start, which is the file's own

        Raises
        ------
        EcgStreamError : when it is no file that was written here, and is so left alone
        """
        there = read_edf_header(path)
        with path.open("rb") as file:
            head = file.read(there.header_bytes)
            file.seek((there.records - 1) * there.size * there.sample_bytes, os.SEEK_CUR)
            last = np.frombuffer(file.read(there.size * there.sample_bytes), "<i2")
        try:
            onsets = read_onsets(path, there)
            began = datetime.strptime(head[168:184].decode("ascii"), "%d.%m.%y%H.%M.%S").replace(tzinfo=UTC)
            begin, end = (Fraction(onsets[number]).limit_denominator(_NS) for number in (0, -1))
        except ValueError as error:
            raise EcgStreamError(f"{path} was not written by this command: name another file") from error
        start_ns = (began - _EPOCH) // timedelta(seconds=1) * _NS + round(begin % 1 * _NS)
        found = cls(path, replace(form, start_ns=start_ns))
        if _without_count(found._header) != _without_count(head):
            return None
        found._file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        found.records = there.records
        found._last = round((end - begin % 1) / form.record_s)
        # A data record that was cut off goes.
        os.ftruncate(found._file, there.header_bytes + there.records * found._record_bytes)
        found._write_count()
        samples = last[: form.record_samples * len(form.leads)].reshape(len(form.leads), -1).T
        return found, found._last, samples.astype(np.int16)

    def add(self, number: int, samples: Int16Array) -> None:
        """Write a data record if anything of it was received.

        Parameters
        ----------
        number : counted from the first sample of the recording; above that of the call before, or the same, and then it
            takes its place
        samples : (n, leads) int16: see ``EdfForm.data_record``

        Raises
        ------
        OSError : when the file cannot be written
        """
        record = self.form.data_record(number, samples)
        if record is None:
            return
        if self._file is None:
            self._begin(record)
        elif number == self._last:
            _write_all(self._file, record, len(self._header) + (self.records - 1) * self._record_bytes)
        else:
            _write_all(self._file, record, len(self._header) + self.records * self._record_bytes)
            self.records += 1
            self._write_count()
        self._last = number

    def close(self) -> None:
        """Write no more."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write_count(self) -> None:
        if self._file is not None:
            os.pwrite(self._file, str(self.records).encode().ljust(FIELD), COUNT_AT)

    def _begin(self, record: bytes) -> None:
        # A reader finds no file, or one with a data record: EDF without any is refused by many.
        part = self.path.with_name(f".{self.path.name}.part")
        header = self._header[:COUNT_AT] + b"1".ljust(FIELD) + self._header[COUNT_AT + FIELD :]
        part.write_bytes(header + record)
        part.replace(self.path)
        self._file = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        self.records = 1


def _without_count(header: bytes) -> bytes:
    return header[:COUNT_AT] + header[COUNT_AT + FIELD :]


def _write_all(file: int, content: bytes, at: int) -> None:
    left = memoryview(content)
    while left:
        done = os.pwrite(file, left, at)
        left, at = left[done:], at + done
