"""Annotations of a WFDB record: which beat, rhythm or wave stands at which sample."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.records import exact_rate
from ecg.wfdb_header import read_header

_HEADER_SUFFIX = ".hea"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotations:
    """An expert's annotations of a recording, in time order.

    Attributes
    ----------
    sample : (n,) int64, position in samples of the record
    symbol : n PhysioNet annotation symbols, such as "N", "V" or "+"
    aux : n notes, such as "(AFIB" at a rhythm change; mostly empty
    """

    sample: npt.NDArray[np.int64]
    symbol: tuple[str, ...]
    aux: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.sample) == len(self.symbol) == len(self.aux):
            raise EcgStreamError(
                f"{len(self.sample)} positions, {len(self.symbol)} symbols, {len(self.aux)} notes: give one of each"
            )
        if np.any(np.diff(self.sample) < 0):
            raise EcgStreamError("the annotations are not in time order: sort them by sample")


def read_annotations(path: Path, *, extension: str = "atr") -> Annotations:
    """The annotations of a WFDB record.

    Parameters
    ----------
    path : the record's path, with or without ``.hea``
    extension : the annotator's name; "atr" is the reference

    Raises
    ------
    EcgStreamError : when the file is missing or damaged
    """
    import wfdb  # noqa: PLC0415 - it brings pandas, which nobody should pay for who reads no file

    stem = path.with_suffix("") if path.suffix == _HEADER_SUFFIX else path
    file = stem.with_name(f"{stem.name}.{extension}")
    if not file.is_file():
        raise EcgStreamError(f"record {stem.name} has no annotations: no file {file}; choose an annotated record")
    try:
        read = wfdb.rdann(str(stem), extension)
    except Exception as error:  # wfdb raises many kinds on hostile files
        raise EcgStreamError(f"{file} is no WFDB annotation file ({error}): restore the file") from error
    sample = _in_record_samples(np.asarray(read.sample, np.int64), read.fs, stem)
    order = np.argsort(sample, kind="stable")
    return Annotations(
        sample=sample[order],
        symbol=tuple(read.symbol[index] for index in order),
        aux=tuple((read.aux_note[index] or "").rstrip("\x00").strip() for index in order),
    )


def write_annotations(header: Path, annotations: Annotations, *, extension: str = "atr") -> Path:
    """Write the annotations of a WFDB record; the file.

    Parameters
    ----------
    header : path of the record's header
    annotations : at least one
    extension : the annotator's name

    Raises
    ------
    OSError : when the file cannot be written
    """
    import wfdb  # noqa: PLC0415 - see above

    wfdb.wrann(
        header.stem,
        extension,
        annotations.sample,
        symbol=list(annotations.symbol),
        aux_note=[_plain(note) for note in annotations.aux],
        write_dir=str(header.parent),
    )
    return header.with_suffix(f".{extension}")


_MOST_AUX = 254  # bytes of a note


def _plain(note: str) -> str:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in note)[:_MOST_AUX]


def _in_record_samples(sample: npt.NDArray[np.int64], ticks_hz: float | None, stem: Path) -> npt.NDArray[np.int64]:
    """Positions in samples of the record; an annotation file may count in a time unit of its own."""
    header = stem.with_name(stem.name + _HEADER_SUFFIX)
    if ticks_hz is None or not header.is_file():
        return sample
    ratio = exact_rate(read_header(header).fs_hz) / exact_rate(float(ticks_hz))
    if ratio == 1:
        return sample
    return (2 * sample * ratio.numerator + ratio.denominator) // (2 * ratio.denominator)
